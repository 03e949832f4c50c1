import Foundation
import Model
import Yams

/// One hand-written case of `cases.yaml`: policies on the cluster of nine pods, and who then reaches whom.
package struct PolicyCase: Sendable, CustomStringConvertible {
    package let name: String
    package let policies: [JSON]
    /// Changes of labels, of pods (`x/a`) and of namespaces; null removes one.
    package let podLabels: [String: [String: String?]]
    package let namespaceLabels: [String: [String: String?]]
    /// By probe (`TCP/80`, `ICMP`), the lines in the order in which they apply.
    package let expectations: [(probe: Probe, lines: [Line])]
    package var description: String { name }

    package struct Probe: Sendable, Hashable, CustomStringConvertible {
        package let proto: UInt8
        package let port: UInt16
        package let description: String

        package init?(_ text: String) {
            let numbers: [String: UInt8] = ["ICMP": 1, "TCP": 6, "UDP": 17, "SCTP": 132]
            let parts = text.split(separator: "/")
            guard let name = parts.first, let number = numbers[String(name)] else { return nil }
            proto = number
            port = parts.count > 1 ? UInt16(parts[1]) ?? 0 : 0
            description = text
        }
    }

    package struct Line: Sendable {
        let isAllowed: Bool
        let source: String
        let destination: String
    }

    /// Whether the case says that `source` reaches `destination` (`x/a`).
    package static func allows(_ lines: [Line], _ source: String, _ destination: String) -> Bool {
        if source == destination { return true }
        return lines.last { matches($0.source, source) && matches($0.destination, destination) }?.isAllowed ?? true
    }

    private static func matches(_ pattern: String, _ pod: String) -> Bool {
        if pattern == "*" { return true }
        return zip(pattern.split(separator: "/"), pod.split(separator: "/")).allSatisfy { $0 == "*" || $0 == $1 }
    }

    /// Reads the file; `address` tells pods' addresses, `podCIDR` nodes' networks, for its placeholders.
    package static func load(address: (String) -> String, podCIDR: (String) -> String) throws -> [PolicyCase] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "cases.yaml")
        var text = try String(contentsOf: file, encoding: .utf8)
        for pod in PolicyCluster.pods { text = text.replacing("{{\(pod.name)}}", with: address(pod.name)) }
        for node in PolicyCluster.nodes { text = text.replacing("{{pods:\(node)}}", with: podCIDR(node)) }
        text = text.replacing("{{pods}}", with: "10.244.0.0/16")
        guard let list = try Yams.load(yaml: text) as? [[String: Any]] else { throw Malformed(description: "cases.yaml is no list") }
        return try list.map(PolicyCase.init)
    }

    package struct Malformed: Error, CustomStringConvertible { package let description: String }

    private init(_ document: [String: Any]) throws {
        guard let name = document["name"] as? String else { throw Malformed(description: "a case without a name") }
        self.name = name
        policies = ((document["policies"] as? [Any]) ?? []).map { policy in
            var json = Self.json(policy)
            json["apiVersion"] = "networking.k8s.io/v1"
            json["kind"] = "NetworkPolicy"
            return json
        }
        let labels = document["labels"] as? [String: Any]
        podLabels = Self.changes(labels?["pods"])
        namespaceLabels = Self.changes(labels?["namespaces"])
        guard let expect = document["expect"] as? [String: [String]] else { throw Malformed(description: "\(name): no expect") }
        expectations = try expect.flatMap { probes, lines in
            let parsed = try lines.map { line in
                let words = line.split(separator: " ").map(String.init)
                guard words.count == 4, ["allow", "deny"].contains(words[0]), words[2] == "->" else {
                    throw Malformed(description: "\(name): \(line)")
                }
                return Line(isAllowed: words[0] == "allow", source: words[1], destination: words[3])
            }
            return try probes.split(separator: ",").map { text in
                guard let probe = Probe(text.trimmingCharacters(in: .whitespaces)) else { throw Malformed(description: "\(name): \(text)") }
                return (probe, parsed)
            }
        }
    }

    private static func changes(_ value: Any?) -> [String: [String: String?]] {
        ((value as? [String: [String: Any]]) ?? [:]).mapValues { $0.mapValues { $0 as? String } }
    }

    private static func json(_ value: Any) -> JSON {
        switch value {
        case let object as [String: Any]:
            var result = JSONObject()
            for (key, member) in object.sorted(by: { $0.key < $1.key }) { result[key] = json(member) }
            return .object(result)
        case let list as [Any]: return .array(list.map(json))
        case let flag as Bool: return .bool(flag)
        case let number as Int: return .int(number)
        case let text as String: return .string(text)
        default: return .null
        }
    }
}

/// The cluster that the cases are about: three namespaces of three pods on three nodes.
package enum PolicyCluster {
    package struct Member: Sendable {
        package let namespace: String
        package let pod: String
        package let node: String
        package let labels: [String: String]
        package var name: String { "\(namespace)/\(pod)" }
    }

    package static let nodes = ["node1", "node2", "node3"]
    package static let namespaces = ["x": "front", "y": "back", "z": "back"].map { name, tier in
        (name: name, labels: ["ns": name, "kubernetes.io/metadata.name": name, "tier": tier])
    }.sorted { $0.name < $1.name }

    package static let pods: [Member] = ["x", "y", "z"].enumerated().flatMap { row, namespace in
        ["a", "b", "c"].enumerated().map { column, pod in
            var labels = ["pod": pod, "role": ["web", "api", "db"][column]]
            if ["x/a", "y/b"].contains("\(namespace)/\(pod)") { labels["access"] = "true" }
            // x/a y/b z/c on node1, x/b y/c z/a on node2, x/c y/a z/b on node3.
            return Member(namespace: namespace, pod: pod, node: nodes[(column - row + 3) % 3], labels: labels)
        }
    }

    /// The ports of a pod's container, as its spec writes them.
    package static func ports(_ pod: String) -> JSON {
        let named: [(String, String, Int)] = [
            ("serve-80-tcp", "TCP", 80), ("serve-81-tcp", "TCP", 81), ("serve-80-udp", "UDP", 80), ("serve-81-udp", "UDP", 81),
            ("serve-80-sctp", "SCTP", 80), ("web", "TCP", pod == "c" ? 81 : 80),
        ]
        return .array(named.map { ["name": .string($0.0), "protocol": .string($0.1), "containerPort": .int($0.2)] })
    }

    /// `labels` with a case's changes.
    package static func changed(_ labels: [String: String], _ changes: [String: String?]?) -> [String: String] {
        var result = labels
        for (key, value) in changes ?? [:] { result[key] = value }
        return result
    }
}
