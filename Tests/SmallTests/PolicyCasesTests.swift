import Model
import PolicyCases
import Proxy
import Testing

/// The cluster of the hand-written cases, made of nothing but objects.
private func snapshot(_ test: PolicyCase) throws -> ClusterSnapshot {
    var cluster = Cluster()
    cluster.nodes = PolicyCluster.nodes.enumerated().map { index, name in
        Cluster.NodeSpec(
            name: name, isControlPlane: false, address: cluster.nodeSubnet[128 + index], podCIDR: podCIDR(name), taints: .null, labels: [:])
    }
    var snapshot = ClusterSnapshot(cluster: cluster)
    snapshot.namespaces = PolicyCluster.namespaces.map {
        Namespace(["metadata": ["name": .string($0.name), "labels": JSON(PolicyCluster.changed($0.labels, test.namespaceLabels[$0.name]))]])
    }
    snapshot.pods = PolicyCluster.pods.map {
        Pod([
            "metadata": [
                "name": .string($0.pod), "namespace": .string($0.namespace),
                "labels": JSON(PolicyCluster.changed($0.labels, test.podLabels[$0.name])),
            ],
            "spec": ["nodeName": .string($0.node), "containers": [["name": "c", "ports": PolicyCluster.ports($0.pod)]]],
            "status": ["phase": "Running", "podIP": .string(address($0.name).description)],
        ])
    }
    snapshot.policies = test.policies.map(NetworkPolicy.init)
    return snapshot
}

private func podCIDR(_ node: String) -> IPNetwork {
    IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(PolicyCluster.nodes.firstIndex(of: node) ?? 9) << 8), 24)
}

private func address(_ pod: String) -> IPAddress {
    guard let index = PolicyCluster.pods.firstIndex(where: { $0.name == pod }) else { return .unspecified(.ipv4) }
    return podCIDR(PolicyCluster.pods[index].node)[10 + index]
}

@Suite("NetworkPolicy: the hand-written cases, walked through the compiled tables")
struct PolicyCasesTests {
    static let cases = (try? PolicyCase.load(address: { address($0).description }, podCIDR: { podCIDR($0).description })) ?? []

    @Test("there are more than a hundred")
    func count() { #expect(Self.cases.count > 100) }

    @Test("each of them", arguments: cases)
    func verdicts(_ test: PolicyCase) throws {
        let snapshot = try snapshot(test), walk = snapshot.walk()
        for (probe, lines) in test.expectations {
            for source in PolicyCluster.pods {
                for target in PolicyCluster.pods {
                    let from = PacketSource.pod(address(source.name), node: source.node)
                    let journeys = walk.journeys(from: from, to: address(target.name), proto: probe.proto, port: probe.port)
                    for journey in journeys {
                        let words = snapshot.explanations(journey, from: from)
                        #expect(journey.agrees(with: words), "\(probe) \(source.name) -> \(target.name): \(words)")
                    }
                    let isDelivered = journeys.map(\.isDelivered) == [true]
                    #expect(
                        isDelivered == PolicyCase.allows(lines, source.name, target.name),
                        "\(probe) \(source.name) -> \(target.name): \(journeys)")
                }
            }
        }
    }
}
