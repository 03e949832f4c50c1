// NetworkPolicy as the Kubernetes API reference words it, evaluated without any of the package's code: what the compiled
// tables are compared with.

struct OracleSelector {
    /// (label, operator, values)
    var requirements: [(String, String, [String])]

    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { label, op, values in
            switch op {
            case "In": labels[label].map { values.contains($0) } == true
            case "NotIn": labels[label].map { values.contains($0) } != true
            case "Exists": labels[label] != nil
            default: labels[label] == nil
            }
        }
    }

    var json: String {
        let expressions = requirements.map { label, op, values in
            let list = values.map { "\"\($0)\"" }.joined(separator: ",")
            return #"{"key":"\#(label)","operator":"\#(op)""# + (values.isEmpty ? "}" : #","values":[\#(list)]}"#)
        }
        return expressions.isEmpty ? "{}" : #"{"matchExpressions":[\#(expressions.joined(separator: ","))]}"#
    }
}

struct OracleBlock {
    var first: UInt32
    var length: Int

    init(_ address: UInt32, _ length: Int) {
        self.length = length
        first = length == 0 ? 0 : (address >> UInt32(32 - length)) << UInt32(32 - length)
    }

    func contains(_ address: UInt32) -> Bool {
        UInt64(address) >= UInt64(first) && UInt64(address) < UInt64(first) + (1 << UInt64(32 - length))
    }
    var json: String { "\"\(first >> 24).\(first >> 16 & 255).\(first >> 8 & 255).\(first & 255)/\(length)\"" }
}

enum OraclePeer {
    case pods(OracleSelector)
    case namespaces(OracleSelector)
    case podsOfNamespaces(OracleSelector, OracleSelector)
    case block(OracleBlock, except: [OracleBlock])

    var json: String {
        switch self {
        case .pods(let pods): #"{"podSelector":\#(pods.json)}"#
        case .namespaces(let namespaces): #"{"namespaceSelector":\#(namespaces.json)}"#
        case .podsOfNamespaces(let pods, let namespaces): #"{"podSelector":\#(pods.json),"namespaceSelector":\#(namespaces.json)}"#
        case .block(let block, let except):
            #"{"ipBlock":{"cidr":\#(block.json),"except":[\#(except.map(\.json).joined(separator: ","))]}}"#
        }
    }
}

struct OraclePort {
    /// nil: not given, which means TCP.
    var proto: String?
    var number: Int?
    var name: String?
    var end: Int?

    var json: String {
        var fields: [String] = []
        if let proto { fields.append("\"protocol\":\"\(proto)\"") }
        if let number { fields.append("\"port\":\(number)") }
        if let name { fields.append("\"port\":\"\(name)\"") }
        if let end { fields.append("\"endPort\":\(end)") }
        return "{" + fields.joined(separator: ",") + "}"
    }
}

struct OracleRule {
    var peers: [OraclePeer]
    var ports: [OraclePort]

    func json(_ peerField: String) -> String {
        #"{"\#(peerField)":[\#(peers.map(\.json).joined(separator: ","))],"ports":[\#(ports.map(\.json).joined(separator: ","))]}"#
    }
}

struct OraclePolicy {
    var namespace: String
    var name: String
    var selector: OracleSelector
    /// nil: not given.
    var types: [String]?
    var ingress: [OracleRule]
    var egress: [OracleRule]

    /// "If this field is not specified, it will default based on the existence of ingress or egress rules."
    func isolates(_ direction: String) -> Bool {
        if let types { return types.contains(direction) }
        return direction == "Ingress" || !egress.isEmpty
    }

    var spec: String {
        var fields = ["\"podSelector\":\(selector.json)"]
        if !ingress.isEmpty { fields.append("\"ingress\":[\(ingress.map { $0.json("from") }.joined(separator: ","))]") }
        if !egress.isEmpty { fields.append("\"egress\":[\(egress.map { $0.json("to") }.joined(separator: ","))]") }
        if let types { fields.append("\"policyTypes\":[\(types.map { "\"\($0)\"" }.joined(separator: ","))]") }
        return "{" + fields.joined(separator: ",") + "}"
    }
}

/// A pod, or an address outside when `name` is empty.
struct OracleHost {
    var namespace = ""
    var name = ""
    var address: UInt32
    var labels: [String: String] = [:]
    /// (protocol, name, number)
    var ports: [(String, String, Int)] = []
    /// Runs on the node whose table is asked.
    var isLocal = false
}

struct PolicyOracle {
    var policies: [OraclePolicy]
    var namespaces: [String: [String: String]]

    /// Whether the node's table lets the first packet of a connection through; `proto` is "ICMP" or a transport protocol.
    func allows(_ from: OracleHost, _ to: OracleHost, _ proto: String, _ port: Int) -> Bool {
        decides("Egress", from, peer: to, to: to, proto, port) && decides("Ingress", to, peer: from, to: to, proto, port)
    }

    private func decides(_ direction: String, _ subject: OracleHost, peer: OracleHost, to: OracleHost, _ proto: String, _ port: Int) -> Bool
    {
        guard subject.isLocal, !subject.name.isEmpty else { return true }
        let isolating = policies.filter {
            $0.namespace == subject.namespace && $0.selector.matches(subject.labels) && $0.isolates(direction)
        }
        if isolating.isEmpty { return true }
        return isolating.contains { policy in
            (direction == "Ingress" ? policy.ingress : policy.egress).contains { rule in
                (rule.peers.isEmpty || rule.peers.contains { matches($0, peer, policy.namespace) })
                    && (rule.ports.isEmpty || rule.ports.contains { matches($0, to, proto, port) })
            }
        }
    }

    private func matches(_ peer: OraclePeer, _ host: OracleHost, _ own: String) -> Bool {
        let isPod = !host.name.isEmpty
        let around = namespaces[host.namespace] ?? [:]
        return switch peer {
        case .pods(let pods): isPod && host.namespace == own && pods.matches(host.labels)
        case .namespaces(let chosen): isPod && chosen.matches(around)
        case .podsOfNamespaces(let pods, let chosen): isPod && chosen.matches(around) && pods.matches(host.labels)
        case .block(let block, let except): block.contains(host.address) && !except.contains { $0.contains(host.address) }
        }
    }

    private func matches(_ wanted: OraclePort, _ to: OracleHost, _ proto: String, _ port: Int) -> Bool {
        let wantedProto = wanted.proto ?? "TCP"
        guard proto == wantedProto else { return false }
        if let name = wanted.name { return to.ports.contains { $0.0 == wantedProto && $0.1 == name && $0.2 == port } }
        guard let number = wanted.number else { return true }
        return port >= number && port <= (wanted.end ?? number)
    }
}
