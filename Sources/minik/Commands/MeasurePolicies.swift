import ArgumentParser
import Model
import Netlink
import Proxy
import Rules

/// What one change costs the policy engine of one node, without a cluster: scripts/bench prints it.
struct MeasurePolicies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure-policies", abstract: "Measure the policy compiler and differ on a made-up cluster.", shouldDisplay: false)
    @Option(help: "Pods in the cluster.") var pods = 10_000
    @Option(help: "Of them on this node.") var local = 100
    @Option(help: "NetworkPolicies.") var policies = 1_000
    @Option(help: "Rules in each.") var rules = 10

    func run() async throws {
        let namespaces = 20
        var engine = PolicyEngine(
            node: NodeView(
                name: "n0", address: IPAddress(ipv4: 0xC0A8_C801), clusterCIDR: .all(.ipv4), serviceCIDR: .all(.ipv4), podCIDR: .all(.ipv4))
        )
        for namespace in 0..<namespaces {
            engine.set(Namespace(["metadata": ["name": "ns\(namespace)", "labels": ["ns": "ns\(namespace)"]]]))
        }
        for number in 0..<pods { engine.set(Self.pod(number, local: local, group: number / namespaces % 50)) }
        for number in 0..<policies { engine.set(Self.policy(number, namespaces: namespaces, rules: rules)) }
        let clock = ContinuousClock()
        let kernel = Counting()
        let keeper = TableKeeper<PolicyPart>(
            table: PolicyCompiler.id(.ipv4), base: PolicyCompiler.base(.ipv4), target: kernel, report: { _ in })
        func changes() async throws -> (changes: [Change], time: Duration) {
            let time = try await clock.measure {
                await keeper.set(engine.changedParts())
                try await keeper.sync()
            }
            return (await kernel.last, time)
        }
        let (whole, first) = try await changes()
        // A pod elsewhere gets another label: some rules here let it in now, others no longer.
        engine.set(Self.pod(local + namespaces * 3, local: local, group: 49))
        let (one, second) = try await changes()
        // A policy more, for one group of a namespace, of which some run here.
        engine.set(Self.policy(policies, namespaces: namespaces, rules: rules))
        let (more, third) = try await changes()
        func row(_ changes: [Change], _ time: Duration) -> JSON {
            let milliseconds = Double(time.components.seconds) * 1000 + Double(time.components.attoseconds) / 1e15
            return [
                "changes": .int(changes.count), "bytes": .int(NFTablesSocket.encodedSize(changes)), "milliseconds": .double(milliseconds),
            ]
        }
        print(
            ([
                "pods": .int(pods), "policies": .int(policies), "rules": .int(rules), "first": row(whole, first), "label": row(one, second),
                "policy": row(more, third),
            ]
                as JSON).text())
    }

    /// A kernel that takes everything, and remembers the last of it.
    private actor Counting: RulesetTarget {
        var last: [Change] = []
        func apply(_ changes: [Change], table: TableID) { last = changes }
        func read(_ table: TableID) -> Ruleset? { nil }
    }

    private static func policy(_ number: Int, namespaces: Int, rules: Int) -> NetworkPolicy {
        let from = (0..<rules).map { rule -> JSON in
            ["from": [["podSelector": ["matchLabels": ["group": "g\((number + rule) % 50)"]]]], "ports": [["port": .int(8000 + rule)]]]
        }
        return NetworkPolicy([
            "metadata": ["name": "p\(number)", "namespace": "ns\(number % namespaces)"],
            "spec": ["podSelector": ["matchLabels": ["group": "g\(number / namespaces % 50)"]], "ingress": .array(from)],
        ])
    }

    private static func pod(_ number: Int, local: Int, group: Int) -> PolicyPod {
        PolicyPod(
            key: ObjectKey("ns\(number % 20)", "pod\(number)"), address: IPAddress(ipv4: 0x0AF4_0000 + UInt32(number)),
            labels: ["group": "g\(group)"],
            isLocal: number < local)
    }
}
