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

    private static func has(_ labels: [String: String], _ wanted: [String: String]) -> Bool { wanted.allSatisfy { labels[$0.key] == $0.value } }

    func allows(_ from: Pod, _ to: Pod, _ proto: String, _ port: Int) -> Bool {
        from.address == to.address
            || (decides("egress", from, peer: to, receiver: to, proto, port) && decides("ingress", to, peer: from, receiver: to, proto, port))
    }

    private func decides(_ direction: String, _ subject: Pod, peer: Pod, receiver: Pod, _ proto: String, _ port: Int) -> Bool {
        if let verdict = tier("Admin", direction, subject, peer, receiver, proto, port) { return verdict }
        if guarded.contains(subject.namespace) { return proto == "TCP" && port == 80 }
        return tier("Baseline", direction, subject, peer, receiver, proto, port) ?? true
    }

    /// nil: this tier says nothing, or passes.
    private func tier(_ tier: String, _ direction: String, _ subject: Pod, _ peer: Pod, _ receiver: Pod, _ proto: String, _ port: Int) -> Bool? {
        for policy in policies.filter({ $0.tier == tier }).sorted(by: { ($0.priority, $0.name) < ($1.priority, $1.name) })
        where Self.has(namespaces[subject.namespace] ?? [:], policy.subject.namespace) && Self.has(subject.labels, policy.subject.pod) {
            for rule in direction == "ingress" ? policy.ingress : policy.egress {
                let isPeer = rule.peers.contains { wanted in
                    switch wanted {
                    case .pods(let namespace, let pod): Self.has(namespaces[peer.namespace] ?? [:], namespace) && Self.has(peer.labels, pod)
                    case .network(let first, let length): length == 0 || peer.address >> UInt32(32 - length) == first >> UInt32(32 - length)
                    }
                }
                let isPort =
                    rule.matches.isEmpty
                    || rule.matches.contains { match in
                        switch match {
                        case .ports(let wanted, let range): wanted == proto && (range?.contains(port) ?? true)
                        case .named(let name): receiver.ports.contains { $0.name == name && $0.proto == proto && $0.number == port }
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
                "subject": ["pods": ["namespaceSelector": ["matchLabels": JSON(subject.namespace)], "podSelector": ["matchLabels": JSON(subject.pod)]]],
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
                case .network(let first, let length): return ["networks": [.string("\(CIDR(IPv4Address(first), length))")]]
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
                            range.count == 1 ? ["number": .int(range.lowerBound)] : ["range": ["start": .int(range.lowerBound), "end": .int(range.upperBound)]]
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

    /// The walk of a cluster of one node with these pods and policies.
    private static func walk(_ oracle: TierOracle) -> PacketWalk {
        var cluster = Cluster()
        cluster.nodes = [
            .init(name: "n", isControlPlane: false, address: IPv4Address(0xC0A8_C880), podCIDR: CIDR(IPv4Address(0x0AF4_0100), 24), taints: .null, labels: [:])
        ]
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.namespaces = namespaces.map { Namespace(["metadata": ["name": .string($0.key), "labels": JSON($0.value)]]) }
        snapshot.pods = pods().map { pod in
            let ports = pod.ports.map { ["name": .string($0.name), "protocol": .string($0.proto), "containerPort": .int($0.number)] as JSON }
            return Pod([
                "metadata": ["name": .string(pod.name), "namespace": .string(pod.namespace), "labels": JSON(pod.labels)],
                "spec": ["nodeName": "n", "containers": [["name": "c", "ports": .array(ports)]]],
                "status": ["phase": "Running", "podIP": .string("\(IPv4Address(pod.address))")],
            ])
        }
        snapshot.clusterPolicies = oracle.policies.map { ClusterNetworkPolicy($0.json) }
        snapshot.policies = oracle.guarded.map { namespace in
            let rule: JSON = [["ports": [["port": 80]]]]
            return NetworkPolicy([
                "metadata": ["name": "guard", "namespace": .string(namespace)],
                "spec": ["podSelector": .emptyObject, "policyTypes": ["Ingress", "Egress"], "ingress": rule, "egress": rule],
            ])
        }
        return snapshot.walk()
    }

    private static func mistakes(_ oracle: TierOracle) -> (allowed: Int, denied: Int, wrong: [String]) {
        let walk = walk(oracle)
        var allowed = 0, denied = 0, wrong: [String] = []
        for from in pods() {
            for to in pods() {
                for (proto, port) in [("TCP", 80), ("TCP", 81), ("TCP", 8080), ("UDP", 53), ("SCTP", 9), ("ICMP", 0)] {
                    let expected = oracle.allows(from, to, proto, port)
                    let journeys = walk.journeys(
                        from: .pod(IPv4Address(from.address), node: "n"), to: IPv4Address(to.address), proto: numbers[proto] ?? 0, port: UInt16(port))
                    if expected { allowed += 1 } else { denied += 1 }
                    if journeys.map(\.isDelivered) != [expected] { wrong.append("\(from.name) -> \(to.name) \(proto)/\(port) should be \(expected)") }
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
                        subject: (labels("color", ["red", "blue"]), labels("app", ["web", "db"])), ingress: rules(false), egress: rules(true)))
            }
            let oracle = TierOracle(policies: policies, namespaces: Self.namespaces, guarded: random.pick([[], [], ["red"], ["red", "blue"]]))
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
                walk.journeys(from: .pod(IPv4Address(0x0AF4_010B), node: "n"), to: IPv4Address(0x0AF4_010A), proto: 6, port: port)[0].isDelivered
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
