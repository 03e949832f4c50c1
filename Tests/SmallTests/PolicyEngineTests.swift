import Model
import PolicyCases
import Proxy
import Rules
import Testing

@Suite("The policy engine: change by change it stays where compiling everything anew would be")
struct PolicyEngineTests {
    private static let node = NodeView(
        name: "n", address: IPAddress(ipv4: 0xC0A8_C880), clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
        serviceCIDR: IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16),
        podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0100), 24))

    @Test("any sequence of pods, labels, namespaces and policies that come, change and go", arguments: [2, 4, 6] as [UInt64])
    func incremental(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var snapshot = PolicySnapshot(), engine = PolicyEngine(node: Self.node)
        let table = UnwillingTable()
        let keeper = TableKeeper<PolicyPart>(
            table: PolicyCompiler.id(.ipv4), base: PolicyCompiler.base(.ipv4), target: table, clock: ManualClock(),
            report: { Issue.record("seed \(seed): \($0)") })
        for step in 0..<400 {
            // Several things at once now and then, as a busy cluster has them.
            for _ in 0..<random.pick([1, 1, 1, 4]) { Self.change(&snapshot, &engine, &random) }
            await keeper.set(engine.changedParts())
            try await keeper.sync()
            let anew = PolicyCompiler(node: Self.node).compile(snapshot)
            #expect(await keeper.ruleset.chains == anew.chains, "seed \(seed), step \(step)")
            #expect(await keeper.ruleset.sets == anew.sets, "seed \(seed), step \(step)")
            let kernel = await table.memory.rules
            guard Ruleset.diff(kernel.asKept, anew.asKept).isEmpty else {
                Issue.record(
                    "seed \(seed), step \(step): \(Ruleset.diff(kernel.asKept, anew.asKept).map { $0.text(table: TableID(.ip, "t")) })")
                return
            }
        }
        #expect(snapshot.pods.count > 3)
    }

    /// With two of them a comment in the kernel is full.
    private static let longName = String(repeating: "x", count: 60)

    private static func change(_ snapshot: inout PolicySnapshot, _ engine: inout PolicyEngine, _ random: inout SplitMix64) {
        switch random.number(0..<10) {
        case 0:
            let name = random.pick(["red", "blue"])
            snapshot.namespaces[name] = random.chance(80) ? ["color": random.pick(["red", "blue"])] : nil
            engine.set(namespace: name, snapshot.namespaces[name])
        case 1, 2, 3, 4:
            let number = random.number(0..<12), key = ObjectKey(number % 2 == 0 ? "red" : "blue", "p\(number)")
            // Addresses are given again to other pods.
            let taken = Set(snapshot.pods.values.filter { $0.key != key }.map(\.address))
            let address =
                (0..<16).map { IPAddress(ipv4: 0x0AF4_0100 + UInt32((number + $0) % 14)) }.first { !taken.contains($0) }
                ?? .unspecified(.ipv4)
            snapshot.pods[key] =
                random.chance(75)
                ? PolicyPod(
                    key: key, address: address, labels: ["app": random.pick(["web", "db"]), "tier": random.pick(["a", "b"])],
                    ports: random.chance(50) ? [.init(proto: .tcp, name: "http"): [random.pick([80, 8080])]] : [:], isLocal: number < 7)
                : nil
            engine.set(key, snapshot.pods[key])
        case 5, 6, 7:
            let key = ObjectKey(random.pick(["red", "blue"]), "np\(random.number(0..<3))\(longName)")
            snapshot.policies[key] = random.chance(75) ? policy(key, &random) : nil
            engine.set(key, policy: snapshot.policies[key])
        case 8:
            let key = ObjectKey("", "cnp\(random.number(0..<2))")
            snapshot.clusterPolicies[key] = random.chance(60) ? clusterPolicy(key, &random) : nil
            engine.set(key, clusterPolicy: snapshot.clusterPolicies[key])
        default:
            let node = Node([
                "metadata": ["name": "n1", "labels": ["zone": .string(random.pick(["a", "b"]))]],
                "status": ["addresses": [["type": "InternalIP", "address": "192.168.200.130"]]],
            ])
            snapshot.nodes["n1"] = PolicyNode(node, .ipv4)
            engine.set(node: "n1", PolicyNode(node, .ipv4))
        }
    }

    private static func peer(_ random: inout SplitMix64) -> JSON {
        let pods: JSON = random.chance(50) ? .emptyObject : ["matchLabels": ["app": .string(random.pick(["web", "db"]))]]
        let around: JSON = ["matchLabels": ["color": .string(random.pick(["red", "blue"]))]]
        return random.pick([
            ["podSelector": pods], ["namespaceSelector": around, "podSelector": pods], ["namespaceSelector": .emptyObject],
            ["ipBlock": ["cidr": "10.244.1.0/28"]],
        ])
    }

    private static func policy(_ key: ObjectKey, _ random: inout SplitMix64) -> NetworkPolicy {
        func rules(_ field: String) -> JSON {
            var list: [JSON] = []
            for _ in 0..<random.number(0..<3) {
                var rule = JSON.emptyObject
                if random.chance(70) { rule[field] = .array([peer(&random), peer(&random)]) }
                if random.chance(60) { rule["ports"] = [["port": random.pick([80, 8080, "http"])]] }
                list.append(rule)
            }
            return .array(list)
        }
        let selector: JSON = random.chance(40) ? .emptyObject : ["matchLabels": ["tier": .string(random.pick(["a", "b"]))]]
        return NetworkPolicy([
            "metadata": ["name": .string(key.name), "namespace": .string(key.namespace)],
            "spec": [
                "podSelector": selector, "policyTypes": random.pick([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
                "ingress": rules("from"),
                "egress": rules("to"),
            ],
        ])
    }

    private static func clusterPolicy(_ key: ObjectKey, _ random: inout SplitMix64) -> ClusterNetworkPolicy {
        let everywhere: JSON = ["namespaces": .emptyObject]
        let pods: JSON = [
            "pods": ["namespaceSelector": .emptyObject, "podSelector": ["matchLabels": ["app": .string(random.pick(["web", "db"]))]]]
        ]
        let nodes: JSON = ["nodes": ["matchLabels": ["zone": .string(random.pick(["a", "b"]))]]]
        return ClusterNetworkPolicy([
            "metadata": ["name": .string(key.name)],
            "spec": [
                "tier": random.pick(["Admin", "Baseline"]), "priority": .int(random.number(0..<3)),
                "subject": random.pick([everywhere, pods]),
                "ingress": [["action": random.pick(["Accept", "Deny", "Pass"]), "from": [random.pick([everywhere, pods])]]],
                "egress": [["action": random.pick(["Accept", "Deny"]), "to": [random.pick([pods, nodes])]]],
            ],
        ])
    }

    @Test("one label of one pod among ten thousand is a handful of elements")
    func smallChange() async throws {
        let table = UnwillingTable()
        let keeper = TableKeeper<PolicyPart>(
            table: PolicyCompiler.id(.ipv4), base: PolicyCompiler.base(.ipv4), target: table, clock: ManualClock(),
            report: { Issue.record("\($0)") }
        )
        var engine = PolicyEngine(node: Self.node)
        engine.set(namespace: "red", [:])
        for number in 0..<10_000 {
            engine.set(
                PolicyPod(
                    key: ObjectKey("red", "p\(number)"), address: IPAddress(ipv4: 0x0AF4_0000 + UInt32(number)),
                    labels: ["app": number % 2 == 0 ? "web" : "db"],
                    isLocal: number < 100))
        }
        for number in 0..<20 {
            engine.set(
                NetworkPolicy([
                    "metadata": ["name": "np\(number)", "namespace": "red"],
                    "spec": [
                        "podSelector": .emptyObject,
                        "ingress": [["from": [["podSelector": ["matchLabels": ["app": "web"]]]], "ports": [["port": .int(80 + number)]]]],
                    ],
                ]))
        }
        await keeper.set(engine.changedParts())
        try await keeper.sync()
        #expect(try #require(await table.applied.last).count > 5000)
        engine.set(
            PolicyPod(key: ObjectKey("red", "p500"), address: IPAddress(ipv4: 0x0AF4_0000 + 500), labels: ["app": "db"], isLocal: false))
        await keeper.set(engine.changedParts())
        try await keeper.sync()
        let changes = try #require(await table.applied.last)
        #expect(changes.count == 20, "an element for each port that was open: \(changes.count)")
        #expect(changes.allSatisfy { if case .deleteElement = $0 { true } else { false } })
        #expect(!engine.isDirty && engine.changedParts().isEmpty)

        // A policy more leaves the chain and its sets where they are.
        engine.set(
            NetworkPolicy([
                "metadata": ["name": "one-more", "namespace": "red"],
                "spec": [
                    "podSelector": .emptyObject,
                    "ingress": [["from": [["ipBlock": ["cidr": "192.168.0.0/24"]]], "ports": [["port": 9000]]]],
                ],
            ]))
        await keeper.set(engine.changedParts())
        try await keeper.sync()
        let more = try #require(await table.applied.last)
        #expect(more.count < 20, "\(more.count) changes for a policy more")
    }

    @Test("a policy over every pod is, for each class of them, the elements that it adds and takes away")
    func wideChange() {
        var engine = PolicyEngine(node: Self.node)
        engine.set(namespace: "red", [:])
        for number in 0..<400 {
            engine.set(
                PolicyPod(
                    key: ObjectKey("red", "p\(number)"), address: IPAddress(ipv4: 0x0AF4_0000 + UInt32(number)),
                    labels: ["group": "g\(number % 20)"],
                    isLocal: number < 100))
        }
        func policy(_ name: String, selecting pods: JSON, from group: Int, at port: Int) -> NetworkPolicy {
            let peers: JSON = [["podSelector": ["matchLabels": ["group": .string("g\(group)")]]]]
            return NetworkPolicy([
                "metadata": ["name": .string(name), "namespace": "red"],
                "spec": ["podSelector": pods, "ingress": [["from": peers, "ports": [["port": .int(port)]]]]],
            ])
        }
        for number in 0..<200 {
            engine.set(
                policy(
                    "np\(number)", selecting: ["matchLabels": ["group": .string("g\(number % 20)")]], from: number / 10, at: 7000 + number))
        }
        _ = engine.changedParts()
        func patched(_ change: (inout PolicyEngine) -> Void) -> (classes: Int, elements: Int, isWhole: Bool) {
            change(&engine)
            let parts = engine.changedParts()
            let patches = parts.values.compactMap { if case .patch(let patch) = $0 { patch } else { nil } }
            return (patches.count, patches.reduce(0) { $0 + $1.elements.values.reduce(0) { $0 + $1.count } }, patches.count != parts.count)
        }
        #expect(
            patched { $0.set(policy("wide", selecting: .emptyObject, from: 3, at: 9000)) } == (20, 420, false),
            "20 pods of group 3 at one port, and the element that names what isolates the class")
        #expect(!engine.restricts)
        #expect(patched { $0.set(policy("wide", selecting: .emptyObject, from: 3, at: 9001)) } == (20, 800, false))
        #expect(patched { $0.set(ObjectKey("red", "wide"), policy: nil) } == (20, 420, false))
        #expect(!engine.isDirty && engine.changedParts().isEmpty)
    }
}
