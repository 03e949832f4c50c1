import Model
import Rules

/// The union of what the rules of one class allow, kept up rule by rule and pod by pod: what goes in costs what it changes, however much is
/// there already.
///
/// Rules offer spans of protocols and ports to selectors; a selector's offers are claims at the addresses of the pods that it chooses.
/// Where several rules allow the same, the first by name is told as the origin.
struct AllowedTraffic: Sendable {
    /// A protocol number and a span of ports; other protocols have no ports, so theirs is the whole.
    struct Span: Hashable, Sendable {
        let protocols: ClosedRange<UInt8>
        let ports: ClosedRange<UInt16>

        static let everything = Span(protocols: 0...255, ports: 0...65535)
        var isOnePort: Bool { ports.lowerBound == ports.upperBound }
    }

    /// What rules offer to the pods of one selector: at numbers, and at names that each pod resolves for itself.
    private struct Offer {
        let code: Int
        var spans: [Span: RuleOrigins] = [:]
        var names: [PolicyPod.NamedPort: (code: Int, origins: RuleOrigins)] = [:]
    }

    private struct Claim {
        let code: Int
        var origin: String
    }

    private struct Range: Hashable {
        let addresses: ClosedRange<IPAddress>
        let span: Span
    }

    private let family: IPFamily
    private var unlimited = RuleOrigins()
    private var offers: [PeerSelector: Offer] = [:]
    private var claims: [IPAddress: [Span: [Claim]]] = [:]
    private var ranges: [Range: RuleOrigins] = [:]
    /// Spans of several ports at single addresses: they go with the ranges.
    private var wide: [IPAddress: Set<Span>] = [:]
    private var nextCode = 0

    private var touched: [IPAddress: Set<Span>] = [:]
    private var areRangesTouched = false
    /// The addresses that were told to be open at every port.
    private var toldOpen: Set<IPAddress> = []
    private var toldRanges: [[Value]: String] = [:]

    /// Of the peers' addresses only those of `family` count.
    init(_ family: IPFamily) { self.family = family }

    /// Set when a rule allows every peer at every port: the origin of that rule.
    var everything: String? { unlimited.least }

    // MARK: What goes in

    /// The selectors that a rule's peers are, with those that only names of ports need.
    static func selectors(_ rule: NetworkPolicy.Rule, home: String, _ direction: NetworkPolicy.Direction) -> [PeerSelector] {
        let namesPods = direction == .egress && rule.usesNamedPorts
        guard let peers = rule.peers else { return namesPods ? [.everyone] : [] }
        return peers.compactMap { peer in
            switch peer {
            case .pods(let pods, let namespaces): PeerSelector(pods: pods, namespaces: namespaces, home: home)
            case .ipBlock(let cidr, let except): namesPods ? PeerSelector(.init(cidr: cidr, except: except)) : nil
            }
        }
    }

    /// Adds a rule, or takes it away. `index` follows the rule's selectors. At ingress a port's name is the isolated pod's to resolve
    /// (`namedPorts`), at egress the peer's.
    mutating func change(
        _ rule: NetworkPolicy.Rule, isAdded: Bool, origin: String, namespace: String, _ namedPorts: [PolicyPod.NamedPort: Set<UInt16>],
        _ direction: NetworkPolicy.Direction, _ index: PeerIndex
    ) {
        let spans = rule.ports.map { $0.flatMap { Self.spans($0, namedPorts) } } ?? [.everything]
        let names = direction == .ingress ? [] : (rule.ports ?? []).compactMap(\.named)
        guard let peers = rule.peers else {
            if rule.ports == nil { _ = unlimited.change(origin, isAdded: isAdded) }
            let all = IPNetwork.all(family)
            for span in spans { change(Range(addresses: all.network...all.last, span: span), origin, isAdded) }
            // A named port towards anyone is known for the cluster's pods only.
            offer(.everyone, [], names, origin, isAdded, index)
            return
        }
        for peer in peers {
            switch peer {
            case .ipBlock(let cidr, let except):
                if cidr.family != family { continue }
                for addresses in Self.subtract(except, from: cidr) {
                    for span in spans { change(Range(addresses: addresses, span: span), origin, isAdded) }
                }
                // A named port is the destination pod's to resolve, however the pod was chosen.
                offer(PeerSelector(.init(cidr: cidr, except: except)), [], names, origin, isAdded, index)
            case .pods(let pods, let namespaces):
                offer(PeerSelector(pods: pods, namespaces: namespaces, home: namespace), spans, names, origin, isAdded, index)
            }
        }
    }

    /// A selector's choice is another.
    mutating func change(_ choice: PeerIndex.Choice) {
        guard let offer = offers[choice.selector] else { return }
        if choice.old?.address == choice.new?.address, choice.old?.ports == choice.new?.ports { return }
        for (pod, isNow) in [(choice.old, false), (choice.new, true)] {
            guard let pod else { continue }
            for (span, origins) in offer.spans { claim(pod, span, offer.code, isNow ? origins.least : nil) }
            for (name, (code, origins)) in offer.names {
                for number in pod.ports[name] ?? [] { claim(pod, Self.span(name.proto, number), code, isNow ? origins.least : nil) }
            }
        }
    }

    private mutating func change(_ range: Range, _ origin: String, _ isAdded: Bool) {
        let (before, after) = ranges[range, default: RuleOrigins()].change(origin, isAdded: isAdded)
        if after == nil { ranges[range] = nil }
        if before != after { areRangesTouched = true }
    }

    private mutating func offer(
        _ selector: PeerSelector, _ spans: [Span], _ names: [PolicyPod.NamedPort], _ origin: String, _ isAdded: Bool, _ index: PeerIndex
    ) {
        if spans.isEmpty, names.isEmpty { return }
        var offer = offers.removeValue(forKey: selector) ?? Offer(code: newCode())
        for span in spans {
            let (before, after) = offer.spans[span, default: RuleOrigins()].change(origin, isAdded: isAdded)
            if after == nil { offer.spans[span] = nil }
            if before != after { for pod in index.choice(selector) { claim(pod, span, offer.code, after) } }
        }
        for name in names {
            let code = offer.names[name]?.code ?? newCode()
            let (before, after) = offer.names[name, default: (code, RuleOrigins())].origins.change(origin, isAdded: isAdded)
            if after == nil { offer.names[name] = nil }
            if before == after { continue }
            for pod in index.choice(selector) {
                for number in pod.ports[name] ?? [] { claim(pod, Self.span(name.proto, number), code, after) }
            }
        }
        if !offer.spans.isEmpty || !offer.names.isEmpty { offers[selector] = offer }
    }

    private mutating func newCode() -> Int {
        nextCode += 1
        return nextCode
    }

    /// Sets, or with nil takes away, what one selector allows at one pod.
    private mutating func claim(_ pod: PolicyPod, _ span: Span, _ code: Int, _ origin: String?) {
        let address = pod.address
        var here = claims[address]?.removeValue(forKey: span) ?? []
        let wasClaimed = !here.isEmpty
        if let index = here.firstIndex(where: { $0.code == code }) {
            if let origin { here[index].origin = origin } else { here.remove(at: index) }
        } else if let origin {
            here.append(Claim(code: code, origin: origin))
        }
        touched[address, default: []].insert(span)
        if !here.isEmpty { claims[address, default: [:]][span] = here } else if claims[address]?.isEmpty == true { claims[address] = nil }
        guard wasClaimed == here.isEmpty else { return }
        if span == .everything || span.isOnePort { return }
        if here.isEmpty {
            wide[address]?.remove(span)
            if wide[address]?.isEmpty == true { wide[address] = nil }
        } else {
            wide[address, default: []].insert(span)
        }
    }

    private static func span(_ proto: TransportProtocol, _ number: UInt16) -> Span {
        Span(protocols: proto.number...proto.number, ports: number...number)
    }

    private static func spans(_ port: NetworkPolicy.Port, _ names: [PolicyPod.NamedPort: Set<UInt16>]) -> [Span] {
        let proto = port.proto.number...port.proto.number
        switch port.port {
        case .all: return [Span(protocols: proto, ports: 0...65535)]
        case .range(let range): return [Span(protocols: proto, ports: range)]
        case .named(let name): return (names[PolicyPod.NamedPort(proto: port.proto, name: name)] ?? []).map { span(port.proto, $0) }
        }
    }

    /// `cidr` without `except`, as disjoint ranges.
    private static func subtract(_ except: [IPNetwork], from cidr: IPNetwork) -> [ClosedRange<IPAddress>] {
        var result: [ClosedRange<IPAddress>] = []
        /// The first address that no hole has reached; nil once the last is.
        var next: IPAddress? = cidr.network
        for hole in except.filter({ cidr.overlaps($0) }).sorted(by: { $0.network < $1.network }) {
            guard let first = next else { break }
            if hole.network > first { result.append(first...(hole.network + -1)) }
            next = hole.last >= cidr.last ? nil : max(first, hole.last + 1)
        }
        if let next { result.append(next...cidr.last) }
        return result
    }

    // MARK: What comes out

    /// The three sets that hold it all: addresses at every port, addresses at single ports, and ranges.
    enum Kind: String, CaseIterable, Sendable { case peers, ports, ranges }

    /// The elements that may differ since the last time, with their origins; nil for what is gone. Each begins with `key`.
    mutating func changes(of key: Value) -> [Kind: [[Value]: String?]] {
        var result: [Kind: [[Value]: String?]] = [:]
        for (address, spans) in touched {
            let here = claims[address] ?? [:], isOpen = here[.everything] != nil
            var concerned = spans
            if isOpen != toldOpen.contains(address) {
                // What is open at every port needs no single ones.
                concerned.formUnion(here.keys)
                if isOpen { toldOpen.insert(address) } else { toldOpen.remove(address) }
            }
            for span in concerned {
                let origin = isOpen && span != .everything ? nil : here[span]?.map(\.origin).min()
                if span == .everything {
                    result[.peers, default: [:]].updateValue(origin, forKey: [key, .address(address)])
                } else if span.isOnePort {
                    let element = [key, .address(address), .transportProtocol(span.protocols.lowerBound), .port(span.ports.lowerBound)]
                    result[.ports, default: [:]].updateValue(origin, forKey: element)
                } else {
                    areRangesTouched = true
                }
            }
        }
        touched = [:]
        if areRangesTouched {
            // Ranges depend on one another, so all are looked at.
            let now = rangeElements(of: key)
            for (key, origin) in now where toldRanges[key] != origin { result[.ranges, default: [:]].updateValue(origin, forKey: key) }
            for key in toldRanges.keys where now[key] == nil { result[.ranges, default: [:]].updateValue(nil, forKey: key) }
            toldRanges = now
        }
        areRangesTouched = false
        return result
    }

    /// All the elements, with their origins. What was touched counts as told.
    mutating func elements(of key: Value) -> [Kind: [[Value]: String]] {
        for (address, here) in claims { touched[address] = Set(here.keys) }
        (toldOpen, toldRanges, areRangesTouched) = ([], [:], true)
        return changes(of: key).mapValues { $0.compactMapValues { $0 } }
    }

    private func rangeElements(of key: Value) -> [[Value]: String] {
        var boxes: [(range: Range, origin: String)] = ranges.compactMap { range, origins in origins.least.map { (range, $0) } }
        for (address, spans) in wide where claims[address]?[.everything] == nil {
            for span in spans {
                guard let origin = claims[address]?[span]?.map(\.origin).min() else { continue }
                boxes.append((Range(addresses: address...address, span: span), origin))
            }
        }
        return AddressSweep.elements(of: key, boxes, \.range.addresses) { Self.disjoint($0.map { ($0.range.span, $0.origin) }) }
    }

    /// Spans that do not overlap, of one union with these. Each keeps the first origin.
    private static func disjoint(_ spans: [(Span, String)]) -> [Span: String] {
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

/// The rules that allow one thing.
struct RuleOrigins: Sendable {
    private var sorted: [String] = []
    /// What is told of them.
    var least: String? { sorted.first }

    /// Adds or takes away one; what is told before and after.
    mutating func change(_ origin: String, isAdded: Bool) -> (before: String?, after: String?) {
        let before = least
        var low = 0, high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < origin { low = middle + 1 } else { high = middle }
        }
        if isAdded { sorted.insert(origin, at: low) } else if low < sorted.count, sorted[low] == origin { sorted.remove(at: low) }
        return (before, least)
    }
}

extension NetworkPolicy.Port {
    /// Its name with its protocol, if it has one.
    fileprivate var named: PolicyPod.NamedPort? {
        if case .named(let name) = port { PolicyPod.NamedPort(proto: proto, name: name) } else { nil }
    }
}
