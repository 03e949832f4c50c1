import Model
import PolicyCases
import Proxy
import Rules
import Testing

/// ClusterNetworkPolicy as its API's comments word it, evaluated over plain values and none of the package's code.
private struct TierOracle {
    struct Pod {
        let name: String
        let namespace: String
        let address: UInt32
        let labels: [String: String]
        let ports: [(name: String, proto: String, number: Int)]
    }
    enum Peer {
        /// Labels that the namespace and the pod must have.
        case pods(namespace: [String: String], pod: [String: String])
        case network(UInt32, Int)
        /// Labels that the node must have.
        case nodes([String: String])
    }

    /// The other end of a connection.
    enum End {
        case pod(Pod)
        case node(address: UInt32, labels: [String: String])

        var address: UInt32 {
            switch self {
            case .pod(let pod): pod.address
            case .node(let address, _): address
            }
        }
    }
    enum Match {
        case ports(String, ClosedRange<Int>?)
        case named(String)
    }
    struct Rule {
        let action: String
        let peers: [Peer]
        let matches: [Match]
    }
    struct Policy {
        let name: String
        let tier: String
        let priority: Int
        let subject: (namespace: [String: String], pod: [String: String])
        let ingress: [Rule]
        let egress: [Rule]
    }

    var policies: [Policy]
    var namespaces: [String: [String: String]]
    /// Namespaces with a NetworkPolicy that lets TCP 80 in, to and from everybody, and nothing else.
    var guarded: Set<String>

    private static func has(_ labels: [String: String], _ wanted: [String: String]) -> Bool {
        wanted.allSatisfy { labels[$0.key] == $0.value }
    }

    func allows(_ from: Pod, _ to: Pod, _ proto: String, _ port: Int) -> Bool {
        from.address == to.address
            || (decides("egress", from, peer: .pod(to), receiver: to, proto, port)
                && decides("ingress", to, peer: .pod(from), receiver: to, proto, port))
    }

    /// Whether a pod reaches the node that it runs on: a namespace's own policies decide that it does.
    func allows(_ from: Pod, toItsNode node: End, _ proto: String, _ port: Int) -> Bool {
        if let verdict = tier("Admin", "egress", from, node, nil, proto, port) { return verdict }
        return guarded.contains(from.namespace) || tier("Baseline", "egress", from, node, nil, proto, port) ?? true
    }

    private func decides(_ direction: String, _ subject: Pod, peer: End, receiver: Pod, _ proto: String, _ port: Int) -> Bool {
        if let verdict = tier("Admin", direction, subject, peer, receiver, proto, port) { return verdict }
        if guarded.contains(subject.namespace) { return proto == "TCP" && port == 80 }
        return tier("Baseline", direction, subject, peer, receiver, proto, port) ?? true
    }

    /// nil: this tier says nothing, or passes.
    private func tier(_ tier: String, _ direction: String, _ subject: Pod, _ peer: End, _ receiver: Pod?, _ proto: String, _ port: Int)
        -> Bool?
    {
        for policy in policies.filter({ $0.tier == tier }).sorted(by: { ($0.priority, $0.name) < ($1.priority, $1.name) })
        where Self.has(namespaces[subject.namespace] ?? [:], policy.subject.namespace) && Self.has(subject.labels, policy.subject.pod) {
            for rule in direction == "ingress" ? policy.ingress : policy.egress {
                let isPeer = rule.peers.contains { wanted in
                    switch (wanted, peer) {
                    case (.pods(let namespace, let pod), .pod(let peer)):
                        Self.has(namespaces[peer.namespace] ?? [:], namespace) && Self.has(peer.labels, pod)
                    case (.nodes(let wanted), .node(_, let labels)): Self.has(labels, wanted)
                    case (.pods, .node), (.nodes, .pod): false
                    case (.network(let first, let length), _):
                        length == 0 || peer.address >> UInt32(32 - length) == first >> UInt32(32 - length)
                    }
                }
                let isPort =
                    rule.matches.isEmpty
                    || rule.matches.contains { match in
                        switch match {
                        case .ports(let wanted, let range): wanted == proto && (range?.contains(port) ?? true)
                        case .named(let name):
                            receiver?.ports.contains { $0.name == name && $0.proto == proto && $0.number == port } ?? false
                        }
                    }
                guard isPeer && isPort else { continue }
                return rule.action == "Pass" ? nil : rule.action == "Accept"
            }
        }
        return nil
    }
}

extension TierOracle.Policy {
    var json: JSON {
        [
            "metadata": ["name": .string(name)],
            "spec": [
                "tier": .string(tier), "priority": .int(priority),
                "subject": [
                    "pods": [
                        "namespaceSelector": ["matchLabels": JSON(subject.namespace)], "podSelector": ["matchLabels": JSON(subject.pod)],
                    ]
                ],
                "ingress": .array(ingress.map { $0.json("from") }), "egress": .array(egress.map { $0.json("to") }),
            ],
        ]
    }
}

extension TierOracle.Rule {
    func json(_ peerField: String) -> JSON {
        var result: JSON = [
            "action": .string(action)
        ]
        result[peerField] = .array(
            peers.map { peer -> JSON in
                switch peer {
                case .pods(let namespace, let pod):
                    return ["pods": ["namespaceSelector": ["matchLabels": JSON(namespace)], "podSelector": ["matchLabels": JSON(pod)]]]
                case .network(let first, let length): return ["networks": [.string("\(IPNetwork(IPAddress(ipv4: first), length))")]]
                case .nodes(let labels): return ["nodes": ["matchLabels": JSON(labels)]]
                }
            })
        if !matches.isEmpty {
            result["protocols"] = .array(
                matches.map { match -> JSON in
                    switch match {
                    case .named(let name): return ["destinationNamedPort": .string(name)]
                    case .ports(let proto, nil): return JSON.emptyObject.setting(proto.lowercased(), .emptyObject)
                    case .ports(let proto, let range?):
                        let port: JSON =
                            range.count == 1
                            ? ["number": .int(range.lowerBound)]
                            : ["range": ["start": .int(range.lowerBound), "end": .int(range.upperBound)]]
                        return JSON.emptyObject.setting(proto.lowercased(), ["destinationPort": port])
                    }
                })
        }
        return result
    }
}

extension JSON {
    fileprivate func setting(_ member: String, _ value: JSON) -> JSON {
        var result = self
        result[member] = value
        return result
    }
}

@Suite("ClusterNetworkPolicy: tiers, priorities, and the API's words")
struct ClusterNetworkPolicyTests {
    private static let namespaces = ["red": ["color": "red"], "blue": ["color": "blue"]]
    private static let numbers: [String: UInt8] = ["ICMP": 1, "TCP": 6, "UDP": 17, "SCTP": 132]

    private static func pods() -> [TierOracle.Pod] {
        (0..<6).map { index -> TierOracle.Pod in
            // The last stands apart, so that ranges have holes.
            let host = index == 5 ? 55 : 10 + index
            let ports: [(name: String, proto: String, number: Int)] = index < 3 ? [(name: "http", proto: "TCP", number: 80 + index)] : []
            return TierOracle.Pod(
                name: "p\(index)", namespace: index % 2 == 0 ? "red" : "blue", address: 0x0AF4_0100 + UInt32(host),
                labels: ["app": index % 3 == 1 ? "db" : "web"], ports: ports)
        }
    }

    private static let node = TierOracle.End.node(address: 0xC0A8_C880, labels: ["zone": "a"])

    /// A cluster of one node with these pods and policies.
    private static func snapshot(_ oracle: TierOracle) -> ClusterSnapshot {
        var cluster = Cluster()
        cluster.nodes = [
            .init(
                name: "n", isControlPlane: false, address: IPAddress(ipv4: 0xC0A8_C880),
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0100), 24),
                taints: .null, labels: [:])
        ]
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.namespaces = namespaces.map { Namespace(["metadata": ["name": .string($0.key), "labels": JSON($0.value)]]) }
        snapshot.pods = pods().map { pod in
            let ports = pod.ports.map {
                ["name": .string($0.name), "protocol": .string($0.proto), "containerPort": .int($0.number)] as JSON
            }
            return Pod([
                "metadata": ["name": .string(pod.name), "namespace": .string(pod.namespace), "labels": JSON(pod.labels)],
                "spec": ["nodeName": "n", "containers": [["name": "c", "ports": .array(ports)]]],
                "status": ["phase": "Running", "podIP": .string("\(IPAddress(ipv4: pod.address))")],
            ])
        }
        snapshot.nodes = [
            Node([
                "metadata": ["name": "n", "labels": ["zone": "a"]],
                "status": ["addresses": [["type": "InternalIP", "address": .string("\(IPAddress(ipv4: node.address))")]]],
            ])
        ]
        snapshot.clusterPolicies = oracle.policies.map { ClusterNetworkPolicy($0.json) }
        snapshot.policies = oracle.guarded.map { namespace in
            let rule: JSON = [["ports": [["port": 80]]]]
            return NetworkPolicy([
                "metadata": ["name": "guard", "namespace": .string(namespace)],
                "spec": ["podSelector": .emptyObject, "policyTypes": ["Ingress", "Egress"], "ingress": rule, "egress": rule],
            ])
        }
        return snapshot
    }

    private static func walk(_ oracle: TierOracle) -> PacketWalk { snapshot(oracle).walk() }

    private static func mistakes(_ oracle: TierOracle) -> (allowed: Int, denied: Int, wrong: [String]) {
        let snapshot = snapshot(oracle), walk = snapshot.walk()
        var allowed = 0, denied = 0, wrong: [String] = []
        for from in pods() {
            for to in pods().map(TierOracle.End.pod) + [node] {
                for (proto, port) in [("TCP", 80), ("TCP", 81), ("TCP", 8080), ("UDP", 53), ("SCTP", 9), ("ICMP", 0)] {
                    let expected =
                        if case .pod(let pod) = to { oracle.allows(from, pod, proto, port) } else {
                            oracle.allows(from, toItsNode: to, proto, port)
                        }
                    let source = PacketSource.pod(IPAddress(ipv4: from.address), node: "n")
                    let journeys = walk.journeys(
                        from: source, to: IPAddress(ipv4: to.address), proto: numbers[proto] ?? 0, port: UInt16(port))
                    if expected { allowed += 1 } else { denied += 1 }
                    let what = "\(from.name) -> \(IPAddress(ipv4: to.address)) \(proto)/\(port)"
                    if journeys.map(\.isDelivered) != [expected] { wrong.append("\(what) should be \(expected)") }
                    // Reading the policies anew for each packet takes its time.
                    for journey in journeys where (allowed + denied) % 5 == 0 {
                        let words = snapshot.explanations(journey, from: source)
                        if !journey.agrees(with: words) {
                            wrong.append("\(what): \(words.map(\.decision)), which is not what the tables do")
                        }
                        if words.allSatisfy(\.isAllowed) != expected {
                            wrong.append("\(what): \(words.map(\.decision)) should be \(expected)")
                        }
                    }
                }
            }
        }
        return (allowed, denied, wrong)
    }

    @Test("agree on any policies and any packet", arguments: [3, 5, 8, 13] as [UInt64])
    func agree(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var allowed = 0, denied = 0
        for _ in 0..<60 {
            var policies: [TierOracle.Policy] = []
            for number in 0..<random.number(1..<5) {
                func labels(_ key: String, _ values: [String]) -> [String: String] { random.chance(50) ? [key: random.pick(values)] : [:] }
                func rules(_ isEgress: Bool) -> [TierOracle.Rule] {
                    (0..<random.number(0..<4)).map { _ in
                        var peers: [TierOracle.Peer] = [], hasNetwork = false
                        for _ in 0..<random.number(1..<3) {
                            if isEgress, random.chance(30) {
                                hasNetwork = true
                                let length = random.pick([0, 16, 24, 29, 32])
                                let address = random.pick([0x0AF4_010A, 0x0AF4_010C, 0x0808_0808] as [UInt32])
                                peers.append(.network(length == 0 ? 0 : (address >> UInt32(32 - length)) << UInt32(32 - length), length))
                            } else if isEgress, random.chance(20) {
                                hasNetwork = true
                                peers.append(.nodes(labels("zone", ["a", "b"])))
                            } else {
                                peers.append(.pods(namespace: labels("color", ["red", "blue"]), pod: labels("app", ["web", "db"])))
                            }
                        }
                        var matches: [TierOracle.Match] = []
                        for _ in 0..<random.pick([0, 0, 1, 2]) {
                            switch random.number(0..<4) {
                            case 0: matches.append(.ports(random.pick(["TCP", "UDP", "SCTP"]), nil))
                            case 1: matches.append(.ports("TCP", 80...random.pick([80, 81, 9000])))
                            case 2: matches.append(.ports("UDP", 53...53))
                            default: if !hasNetwork { matches.append(.named("http")) }
                            }
                        }
                        return TierOracle.Rule(action: random.pick(["Accept", "Deny", "Pass"]), peers: peers, matches: matches)
                    }
                }
                policies.append(
                    TierOracle.Policy(
                        name: "c\(number)", tier: random.pick(["Admin", "Baseline"]), priority: random.number(0..<3),
                        subject: (labels("color", ["red", "blue"]), labels("app", ["web", "db"])), ingress: rules(false),
                        egress: rules(true)))
            }
            let oracle = TierOracle(
                policies: policies, namespaces: Self.namespaces, guarded: random.pick([[], [], ["red"], ["red", "blue"]]))
            let result = Self.mistakes(oracle)
            allowed += result.allowed
            denied += result.denied
            guard result.wrong.isEmpty else {
                Issue.record("seed \(seed): \(result.wrong.prefix(4)) of \(policies.map { $0.json.text() }) guarded \(oracle.guarded)")
                return
            }
        }
        #expect(allowed > 2000 && denied > 1000, "neither answer is rare: \(allowed) \(denied)")
    }

    @Test("what denies nodes, or every address, denies the pod's own node, too; what a NetworkPolicy says does not")
    func ownNode() {
        func open(_ action: String, _ tier: String, _ peer: TierOracle.Peer, guarded: Set<String> = []) -> Bool {
            let oracle = TierOracle(
                policies: [
                    .init(
                        name: "c", tier: tier, priority: 1, subject: (["color": "red"], [:]), ingress: [],
                        egress: [.init(action: action, peers: [peer], matches: [.ports("TCP", 10250...10250)])])
                ], namespaces: Self.namespaces, guarded: guarded)
            let result = Self.walk(oracle).journeys(
                from: .pod(IPAddress(ipv4: 0x0AF4_010A), node: "n"), to: IPAddress(ipv4: Self.node.address), proto: 6, port: 10250)
            return result.map(\.isDelivered) == [true]
        }
        for peer in [TierOracle.Peer.nodes([:]), .nodes(["zone": "a"]), .network(0, 0)] {
            #expect(!open("Deny", "Admin", peer) && !open("Deny", "Baseline", peer) && !open("Deny", "Admin", peer, guarded: ["red"]))
            #expect(open("Pass", "Admin", peer, guarded: ["red"]) && open("Accept", "Admin", peer))
            #expect(
                open("Deny", "Baseline", peer, guarded: ["red"]),
                "the namespace's own policy decides for good, and lets a pod and its node be")
        }
        #expect(open("Deny", "Admin", .nodes(["zone": "b"])) && open("Deny", "Admin", .pods(namespace: [:], pod: [:])))
    }

    @Test("what is said of a way names each that had a say: who passed on, who denied, and what was not asked")
    func words() throws {
        func policy(_ tier: String, _ action: String) -> TierOracle.Policy {
            .init(
                name: action.lowercased(), tier: tier, priority: 1, subject: ([:], [:]), ingress: [],
                egress: [.init(action: action, peers: [.network(0, 0)], matches: [])])
        }
        func explain(_ policies: [TierOracle.Policy], guarded: Set<String> = [], to: UInt32 = 0x0AF4_010B) -> [PolicyExplanation] {
            let snapshot = Self.snapshot(TierOracle(policies: policies, namespaces: Self.namespaces, guarded: guarded))
            let source = PacketSource.pod(IPAddress(ipv4: 0x0AF4_010A), node: "n")
            return snapshot.walk().journeys(from: source, to: IPAddress(ipv4: to), proto: 6, port: 81).flatMap {
                snapshot.explanations($0, from: source)
            }
        }
        let denied = explain([policy("Admin", "Deny")], guarded: ["blue"])
        #expect(denied.map(\.isAllowed) == [false, false], "what the receiver's policies would have done is said, too")
        #expect(denied[0].deniedBy?.rule == "Admin deny egress[0]: Deny" && denied[1].decision == .isolated)
        let passed = explain([policy("Admin", "Pass"), policy("Baseline", "Accept")])
        #expect(
            passed[0].passes.map(\.rule) == ["Admin pass egress[0]: Pass"] && passed[0].allowedBy == "Baseline accept egress[0]: Accept")
        let exempt = explain([policy("Admin", "Pass")], guarded: ["red"], to: Self.node.address)
        #expect(exempt.map(\.decision) == [.ownNode] && exempt[0].passes.count == 1)
    }

    @Test("an administrator's Deny stands above a namespace's own Allow, a Baseline below it, and Pass hands over")
    func order() {
        let everyone = TierOracle.Peer.pods(namespace: [:], pod: [:])
        func policy(_ tier: String, _ action: String, _ name: String = "c", priority: Int = 1) -> TierOracle.Policy {
            .init(
                name: name, tier: tier, priority: priority, subject: (["color": "red"], [:]),
                ingress: [.init(action: action, peers: [everyone], matches: [])], egress: [])
        }
        func open(_ policies: [TierOracle.Policy], guarded: Set<String>) -> [Bool] {
            let walk = Self.walk(TierOracle(policies: policies, namespaces: Self.namespaces, guarded: guarded))
            return [80, 81].map { port in
                walk.journeys(from: .pod(IPAddress(ipv4: 0x0AF4_010B), node: "n"), to: IPAddress(ipv4: 0x0AF4_010A), proto: 6, port: port)[
                    0
                ]
                .isDelivered
            }
        }
        #expect(open([policy("Admin", "Deny")], guarded: ["red"]) == [false, false])
        #expect(open([policy("Admin", "Accept")], guarded: ["red"]) == [true, true])
        #expect(open([policy("Admin", "Pass")], guarded: ["red"]) == [true, false])
        #expect(open([policy("Baseline", "Deny")], guarded: ["red"]) == [true, false], "the namespace's own policy decides for good")
        #expect(open([policy("Baseline", "Deny")], guarded: []) == [false, false])
        #expect(open([policy("Admin", "Pass", "a", priority: 0), policy("Admin", "Deny", "b")], guarded: []) == [true, true])
        #expect(open([policy("Admin", "Deny", "a", priority: 2), policy("Admin", "Accept", "b")], guarded: []) == [true, true])
    }
}
