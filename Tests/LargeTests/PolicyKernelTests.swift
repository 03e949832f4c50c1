import Foundation
import Model
import PolicyCases
import Testing

/// The hand-written cases once more, this time asked of the kernel: every flow of every case is a real packet.
@Suite("[Serial] NetworkPolicy: the hand-written cases, with real packets", .serialized, .printsClusters)
struct PolicyKernelTests {
    private static let file: String = {
        let head = """
            apiVersion: minik.dev/v1
            kind: Cluster
            metadata: {name: cases}
            spec:
              nodeSubnet: 192.168.218.0/24
              nodes:
              - {name: node1, role: control-plane, address: 192.168.218.11}
              - {name: node2, address: 192.168.218.12}
              - {name: node3, address: 192.168.218.13}
            """
        return ([head] + PolicyCluster.namespaces.map { namespace($0.name, [:]) } + PolicyCluster.pods.map { pod($0, [:]) }).joined(
            separator: "\n---\n")
    }()

    private static func namespace(_ name: String, _ changes: [String: String?]) -> String {
        let labels = PolicyCluster.namespaces.first { $0.name == name }?.labels ?? [:]
        return
            ([
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": ["name": .string(name), "labels": JSON(PolicyCluster.changed(labels, changes))],
            ] as JSON)
            .text()
    }

    private static func pod(_ pod: PolicyCluster.Member, _ changes: [String: String?]) -> String {
        let object: JSON = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(pod.pod), "namespace": .string(pod.namespace), "labels": JSON(PolicyCluster.changed(pod.labels, changes)),
            ],
            "spec": [
                "nodeName": .string(pod.node), "terminationGracePeriodSeconds": 0,
                "containers": [["name": "c", "image": "busybox", "command": ["sleep", "100000"], "ports": PolicyCluster.ports(pod.pod)]],
            ],
        ]
        return object.text()
    }

    @Test("each of them: the kernel does what the case says, and what the matrix computes", .timeLimit(.minutes(8)))
    func cases() throws {
        let path = try ClusterFiles.write(Self.file)
        try TestCluster.with(path, name: "cases") { cluster in
            let pods = try Shell.json("\(Shell.minik) get pods -A --cluster cases -o json")["items"].items.map { Pod($0) }
            let nodes = try Shell.json("\(Shell.minik) get nodes --cluster cases -o json")["items"].items.map { Node($0) }
            let addresses = Dictionary(uniqueKeysWithValues: pods.map { ("\($0.key)", $0.ip?.description ?? "") })
            let networks = Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, $0.spec["podCIDR"].string ?? "") })
            let cases = try PolicyCase.load(address: { addresses[$0] ?? "" }, podCIDR: { networks[$0] ?? "" })
            #expect(cases.count > 100)
            for test in cases { try check(test, cluster) }
            try random(cluster)
        }
    }

    /// Policies that nobody thought of: what the compiled tables say, which the small tests hold against the API's words, and
    /// what the kernel does.
    private func random(_ cluster: TestCluster) throws {
        var random = SplitMix64(seed: 20)
        for round in 0..<12 {
            let policies = (0..<4).map { Self.policy($0, &random).text() }
            let file = try ClusterFiles.write(policies.joined(separator: "\n---\n"))
            #expect(cluster.minik("apply -f \(file)").isSuccess)
            var result = CommandResult(command: "", status: 1, output: "", errors: "")
            for _ in 0..<3 where !result.isSuccess {
                Thread.sleep(forTimeInterval: 0.1)
                result = cluster.minik("matrix --probe --ports 80,81,udp/80,sctp/80,icmp -o json")
            }
            #expect(result.isSuccess, "round \(round): \(policies)")
            let flows = try JSON(parsing: result.output)["flows"].items
            #expect(flows.count == 9 * 13 * 5 && flows.allSatisfy { $0["measured"] == $0["allowed"] }, "round \(round): \(policies)")
            #expect(flows.contains { $0["measured"].bool == false } && flows.contains { $0["measured"].bool == true })
            for namespace in ["x", "y", "z"] { cluster.minik("delete netpol --all -n \(namespace)") }
        }
    }

    private static func policy(_ number: Int, _ random: inout SplitMix64) -> JSON {
        func selector(_ key: String, _ values: [String]) -> JSON {
            switch random.number(0..<4) {
            case 0: return .emptyObject
            case 1: return ["matchExpressions": [["key": .string(key), "operator": "NotIn", "values": [.string(random.pick(values))]]]]
            default: return ["matchLabels": JSON([key: random.pick(values)])]
            }
        }
        func rules(_ field: String) -> JSON {
            var list: [JSON] = []
            for _ in 0..<random.number(0..<3) {
                var rule = JSON.emptyObject
                if random.chance(80) {
                    let peers: [JSON] = [
                        ["podSelector": selector("pod", ["a", "b", "c"])],
                        ["namespaceSelector": selector("ns", ["x", "y", "z"]), "podSelector": selector("role", ["web", "db"])],
                        ["ipBlock": ["cidr": "10.244.0.0/23", "except": ["10.244.0.0/25"]]],
                    ]
                    rule[field] = [random.pick(peers), random.pick(peers)]
                }
                if random.chance(60) {
                    rule["ports"] = [["port": random.pick([80, "web", "serve-81-tcp"])], ["protocol": random.pick(["UDP", "SCTP"])]]
                }
                list.append(rule)
            }
            return .array(list)
        }
        return [
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": ["name": .string("random-\(number)"), "namespace": .string(random.pick(["x", "y", "z"]))],
            "spec": [
                "podSelector": selector("pod", ["a", "b", "c"]),
                "policyTypes": random.pick([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
                "ingress": rules("from"), "egress": rules("to"),
            ],
        ]
    }

    private func check(_ test: PolicyCase, _ cluster: TestCluster) throws {
        let changed = test.namespaceLabels.map { Self.namespace($0.key, $0.value) } + changedPods(test) { test.podLabels[$0.name] ?? [:] }
        let file = try ClusterFiles.write((changed + test.policies.map { $0.text() }).joined(separator: "\n---\n"))
        defer { try? FileManager.default.removeItem(atPath: file) }
        if !(changed.isEmpty && test.policies.isEmpty) {
            let applied = cluster.minik("apply -f \(file)")
            try #require(applied.isSuccess, "\(test): \(applied)")
        }
        // The tables follow within milliseconds; the second look is for a machine that was busy with something else.
        for attempt in 0..<3 {
            Thread.sleep(forTimeInterval: attempt == 0 ? 0.03 : 0.3)
            let result = cluster.minik("matrix --probe --ports 80,81,udp/80,udp/81,sctp/80,icmp -o json")
            let wrong = try mistakes(test, JSON(parsing: result.output))
            if wrong.isEmpty && result.isSuccess { break }
            if attempt == 2 { Issue.record("\(test): \(wrong.prefix(8)) \(result.isSuccess ? "" : "computed and measured differ")") }
        }
        if !test.policies.isEmpty {
            #expect(
                Shell.run(
                    Set(test.policies.compactMap { $0["metadata"]["namespace"].string }).map {
                        "\(Shell.minik) delete netpol --all -n \($0) --cluster cases"
                    }.joined(separator: " && ")
                ).isSuccess)
        }
        let back = test.namespaceLabels.keys.map { Self.namespace($0, [:]) } + changedPods(test) { _ in [:] }
        if !back.isEmpty { #expect(cluster.minik("apply -f \(try ClusterFiles.write(back.joined(separator: "\n---\n")))").isSuccess) }
    }

    private func changedPods(_ test: PolicyCase, _ changes: (PolicyCluster.Member) -> [String: String?]) -> [String] {
        PolicyCluster.pods.filter { test.podLabels[$0.name] != nil }.map { Self.pod($0, changes($0)) }
    }

    /// The flows of which the kernel's answer is not the case's.
    private func mistakes(_ test: PolicyCase, _ matrix: JSON) throws -> [String] {
        let lines = Dictionary(test.expectations.map { ($0.probe.description, $0.lines) }, uniquingKeysWith: { $1 })
        let flows = matrix["flows"].items.filter {
            ($0["from"].string ?? "").contains("/") && !($0["from"].string ?? "").hasPrefix("node/")
        }
        try #require(flows.count == 81 * 6)
        return flows.compactMap { flow in
            guard let probe = flow["probe"].string, let from = flow["from"].string, let to = flow["to"].string, let expected = lines[probe]
            else { return nil }
            let should = PolicyCase.allows(expected, from, to)
            return flow["measured"].bool == should ? nil : "\(probe) \(from) -> \(to) should be \(should ? "allowed" : "denied")"
        }
    }
}
