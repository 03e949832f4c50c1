import Model
import Rules

/// The rules of one tier for one class of pods, first match first, flattened for a verdict map: no two elements overlap, and
/// what a rule passes on is in none of them.
struct TieredTraffic {
    private typealias Span = AllowedTraffic.Span

    private struct Box {
        let addresses: ClosedRange<IPAddress>
        let span: Span
        let action: ClusterNetworkPolicy.Action
        let origin: String
    }

    private let family: IPFamily
    private var boxes: [Box] = []

    /// Of the peers' addresses only those of `family` count.
    init(_ family: IPFamily) { self.family = family }

    /// Adds the rules of the next policy in order of precedence.
    mutating func add(
        _ policy: ClusterNetworkPolicy, _ direction: NetworkPolicy.Direction, _ namedPorts: [PolicyPod.NamedPort: Set<UInt16>],
        _ index: PeerIndex,
        _ nodes: [String: PolicyNode]
    ) {
        for (number, rule) in policy.rules(direction).enumerated() {
            let origin = policy.origin(of: rule, number, direction)
            for peer in rule.peers { add(peer, rule, origin, direction, namedPorts, index, nodes) }
        }
    }

    private mutating func add(
        _ peer: ClusterNetworkPolicy.Peer, _ rule: ClusterNetworkPolicy.Rule, _ origin: String, _ direction: NetworkPolicy.Direction,
        _ namedPorts: [PolicyPod.NamedPort: Set<UInt16>], _ index: PeerIndex,
        _ nodes: [String: PolicyNode]
    ) {
        func add(_ addresses: ClosedRange<IPAddress>, _ names: [PolicyPod.NamedPort: Set<UInt16>]) {
            let spans = rule.ports.map { $0.flatMap { Self.spans($0, names) } } ?? [.everything]
            for span in spans { boxes.append(Box(addresses: addresses, span: span, action: rule.action, origin: origin)) }
        }
        switch peer {
        case .pods(let choice):
            for pod in index.choice(PeerSelector(choice)) {
                add(pod.address...pod.address, direction == .ingress ? namedPorts : pod.ports)
            }
        case .nodes(let selector):
            for node in nodes.values where node.address.family == family && selector.matches(node.labels) {
                add(node.address...node.address, [:])
            }
        case .networks(let networks):
            for network in networks where network.family == family { add(network.network...network.last, [:]) }
        }
    }

    private static func spans(_ port: ClusterNetworkPolicy.PortMatch, _ names: [PolicyPod.NamedPort: Set<UInt16>]) -> [Span] {
        switch port {
        case .transport(let proto, let range): [Span(protocols: proto.number...proto.number, ports: range ?? 0...65535)]
        case .named(let name):
            names.filter { $0.key.name == name }.flatMap { named, numbers in
                numbers.map { Span(protocols: named.proto.number...named.proto.number, ports: $0...$0) }
            }
        }
    }

    /// The elements of the map from (class, peer, protocol, port) to accept (`return`) or drop.
    func elements(of key: Value) -> [[Value]: ElementData] { AddressSweep.elements(of: key, boxes, \.addresses, slab: Self.flatten) }

    /// Of boxes at one address, in order of precedence, what each protocol and port meets first.
    private static func flatten(_ boxes: [Box]) -> [Span: ElementData] {
        var result: [Span: ElementData] = [:]
        for (protocols, here) in pieces(boxes, 255, { Int($0.span.protocols.lowerBound)...Int($0.span.protocols.upperBound) }) {
            var last: (ports: ClosedRange<Int>, data: ElementData)?
            func flush() {
                guard let (ports, data) = last else { return }
                result[
                    Span(
                        protocols: UInt8(protocols.lowerBound)...UInt8(protocols.upperBound),
                        ports: UInt16(ports.lowerBound)...UInt16(ports.upperBound))] = data
                last = nil
            }
            for (ports, first) in pieces(here, 65535, { Int($0.span.ports.lowerBound)...Int($0.span.ports.upperBound) }) {
                let data = first.first.flatMap(data)
                if let open = last, open.data == data, open.ports.upperBound + 1 == ports.lowerBound {
                    last?.ports = open.ports.lowerBound...ports.upperBound
                } else {
                    flush()
                    last = data.map { (ports, $0) }
                }
            }
            flush()
        }
        return result
    }

    /// What a box does to the packets it meets first; nil for what it passes on.
    private static func data(_ box: Box) -> ElementData? {
        switch box.action {
        case .accept: ElementData(verdict: .return, comment: box.origin)
        case .deny: ElementData(verdict: .drop, comment: box.origin)
        case .pass: nil
        }
    }

    /// The pieces that the boxes' edges cut 0...last into, each with the boxes that cover it.
    private static func pieces(_ boxes: [Box], _ last: Int, _ edge: (Box) -> ClosedRange<Int>) -> [(ClosedRange<Int>, [Box])] {
        let cuts = Set(boxes.flatMap { [edge($0).lowerBound, edge($0).upperBound + 1] }).sorted()
        return zip(cuts, cuts.dropFirst()).map { start, end in (start...end - 1, boxes.filter { edge($0).contains(start) }) }.filter {
            !$0.1.isEmpty
        }
    }
}
