import Model
import Rules

/// The union of what the rules of one class allow, normalised for sets: no two elements of a range set overlap.
struct AllowedTraffic {
    /// A protocol number and a span of ports; other protocols have no ports, so theirs is the whole.
    struct Span: Hashable {
        let protocols: ClosedRange<UInt8>
        let ports: ClosedRange<UInt16>

        static let everything = Span(protocols: 0...255, ports: 0...65535)
    }

    /// Set when a rule allows every peer at every port: the origin of that rule.
    private(set) var everything: String?
    private var exact: [IPv4Address: [Span: String]] = [:]
    private var ranges: [(addresses: ClosedRange<IPv4Address>, span: Span, origin: String)] = []

    mutating func add(
        _ rule: NetworkPolicy.Rule, origin: String, namespace: String, _ namedPorts: [PolicyPod.NamedPort: Set<UInt16>],
        _ direction: NetworkPolicy.Direction, _ index: PeerIndex
    ) {
        let spans = rule.ports.map { $0.flatMap { Self.spans($0, namedPorts) } } ?? [.everything]
        let names = direction == .egress ? (rule.ports ?? []) : []
        guard let peers = rule.peers else {
            if rule.ports == nil { everything = everything.map { min($0, origin) } ?? origin }
            for span in spans { ranges.append((CIDR.all.network...CIDR.all.last, span, origin)) }
            // A named port towards anyone is known for the cluster's pods only.
            if !names.isEmpty { for pod in index.pods.values { addNamed(names, pod, origin) } }
            return
        }
        for peer in peers {
            switch peer {
            case .ipBlock(let cidr, let except):
                for range in Self.subtract(except, from: cidr) { for span in spans { ranges.append((range, span, origin)) } }
                // A named port is the destination pod's to resolve, however the pod was chosen.
                if names.contains(where: \.isNamed) {
                    for pod in index.pods.values where cidr.contains(pod.address) && !except.contains(where: { $0.contains(pod.address) }) {
                        addNamed(names, pod, origin)
                    }
                }
            case .pods(let pods, let namespaces):
                for pod in index.choice(PeerSelector(pods: pods, namespaces: namespaces, home: namespace)) {
                    for span in spans { insert(span, pod.address, origin) }
                    addNamed(names, pod, origin)
                }
            }
        }
    }

    private mutating func addNamed(_ ports: [NetworkPolicy.Port], _ pod: PolicyPod, _ origin: String) {
        for port in ports {
            if port.isNamed { for span in Self.spans(port, pod.ports) { insert(span, pod.address, origin) } }
        }
    }

    private mutating func insert(_ span: Span, _ address: IPv4Address, _ origin: String) {
        let old = exact[address]?[span]
        exact[address, default: [:]][span] = old.map { min($0, origin) } ?? origin
    }

    private static func spans(_ port: NetworkPolicy.Port, _ names: [PolicyPod.NamedPort: Set<UInt16>]) -> [Span] {
        let proto = port.proto.number...port.proto.number
        switch port.port {
        case .all: return [Span(protocols: proto, ports: 0...65535)]
        case .range(let range): return [Span(protocols: proto, ports: range)]
        case .named(let name):
            return (names[PolicyPod.NamedPort(proto: port.proto, name: name)] ?? []).map { Span(protocols: proto, ports: $0...$0) }
        }
    }

    /// `cidr` without `except`, as disjoint ranges.
    private static func subtract(_ except: [CIDR], from cidr: CIDR) -> [ClosedRange<IPv4Address>] {
        var result: [ClosedRange<IPv4Address>] = []
        var next = Int(cidr.network.value)
        for hole in except.filter({ cidr.overlaps($0) }).sorted(by: { $0.network < $1.network }) {
            let first = Int(hole.network.value), last = Int(hole.last.value)
            if first > next { result.append(IPv4Address(UInt32(next))...IPv4Address(UInt32(first - 1))) }
            next = max(next, last + 1)
        }
        if next <= Int(cidr.last.value) { result.append(IPv4Address(UInt32(next))...cidr.last) }
        return result
    }

    typealias SetPlan = (kind: String, key: [Field], isInterval: Bool, members: [[Value]: String])

    /// The sets that hold it all: addresses at every port, addresses at single ports, and ranges.
    func sets(peer: Field) -> [SetPlan] {
        var anyPort: [[Value]: String] = [:], onePort: [[Value]: String] = [:]
        var intervals = ranges
        for (address, spans) in exact {
            if let origin = spans[.everything] {
                anyPort[[.address(address)]] = origin
                continue
            }
            for (span, origin) in spans {
                if span.ports.count == 1 {
                    onePort[[.address(address), .transportProtocol(span.protocols.lowerBound), .port(span.ports.lowerBound)]] = origin
                } else {
                    intervals.append((address...address, span, origin))
                }
            }
        }
        let triple: [Field] = [peer, .transportProtocol, .destinationPort]
        return [
            ("peers", [peer], false, anyPort), ("ports", triple, false, onePort), ("ranges", triple, true, Self.disjoint(intervals)),
        ]
    }

    /// Cuts boxes of addresses x protocols x ports into disjoint ones with the same union. Each keeps the first origin.
    private static func disjoint(_ boxes: [(addresses: ClosedRange<IPv4Address>, span: Span, origin: String)]) -> [[Value]: String] {
        var result: [[Value]: String] = [:]
        let cuts = Set(boxes.flatMap { [Int($0.addresses.lowerBound.value), Int($0.addresses.upperBound.value) + 1] }).sorted()
        var pending: (range: ClosedRange<IPv4Address>, spans: [Span: String])?
        func flush() {
            guard let (range, spans) = pending else { return }
            for (span, origin) in spans {
                result[[.addresses(range), .transportProtocols(span.protocols), .ports(span.ports)]] = origin
            }
        }
        for (start, end) in zip(cuts, cuts.dropFirst()) {
            let range = IPv4Address(UInt32(start))...IPv4Address(UInt32(end - 1))
            let covering = boxes.filter { $0.addresses.contains(range.lowerBound) }
            let spans = disjointSpans(covering.map { ($0.span, $0.origin) })
            if let last = pending, last.spans == spans, Int(last.range.upperBound.value) + 1 == start {
                pending?.range = last.range.lowerBound...range.upperBound
            } else {
                flush()
                pending = spans.isEmpty ? nil : (range, spans)
            }
        }
        flush()
        return result
    }

    private static func disjointSpans(_ spans: [(Span, String)]) -> [Span: String] {
        if let all = spans.filter({ $0.0 == .everything }).map(\.1).min() { return [.everything: all] }
        var result: [Span: String] = [:]
        for (protocols, group) in Dictionary(grouping: spans, by: { $0.0.protocols }) {
            var merged: [(ports: ClosedRange<UInt16>, origin: String)] = []
            for (span, origin) in group.sorted(by: { ($0.0.ports.lowerBound, $0.1) < ($1.0.ports.lowerBound, $1.1) }) {
                if let last = merged.last, Int(span.ports.lowerBound) <= Int(last.ports.upperBound) + 1 {
                    merged[merged.count - 1].ports = last.ports.lowerBound...max(last.ports.upperBound, span.ports.upperBound)
                } else {
                    merged.append((span.ports, origin))
                }
            }
            for (ports, origin) in merged { result[Span(protocols: protocols, ports: ports)] = origin }
        }
        return result
    }
}
