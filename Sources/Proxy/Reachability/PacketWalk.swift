import Model
import Rules

/// Where a packet starts.
package enum PacketSource: Hashable, Sendable {
    case pod(IPAddress, node: String)
    case node(String)
    /// A client beside the nodes, on their LAN or beyond.
    case outside(IPAddress)
}

/// A hook that a packet passed on its way, and what happened there.
package struct Hop: Hashable, Sendable {
    package let node: String
    package let point: Hook.Point
    /// The packet as it came to the hook.
    package let packet: Packet
    package let trace: Trace
}

/// One way a packet can take through the cluster; a Service makes as many as it has endpoints.
package struct Journey: Hashable, Sendable {
    package enum End: Hashable, Sendable {
        /// Handed to whoever has this address.
        case delivered(IPAddress)
        case dropped
        /// Answered with ICMP port unreachable.
        case rejected
    }

    package var hops: [Hop] = []
    package var end: End
    /// As it arrived, or as it was when it was stopped.
    package var packet: Packet

    package var isDelivered: Bool { if case .delivered = end { true } else { false } }
    /// What it is called on its way, in each place.
    package var packets: [Packet] { hops.flatMap { [$0.packet, $0.trace.packet] } + [packet] }
    /// The rule that stopped it.
    package var stop: TraceStep? { isDelivered ? nil : hops.last?.trace.steps.last }
}

/// One node's tables of one family, and its place in the network.
package struct NodeTables: Sendable {
    package let view: NodeView
    /// The load balancers' addresses that it answers for.
    package let balancers: Set<IPAddress>
    package let tracer: Tracer

    /// Whether what comes to an address has come to the node itself.
    func has(_ address: IPAddress) -> Bool { address == view.address || balancers.contains(address) }

    package init(view: NodeView, balancers: Set<IPAddress> = [], tables: [TableID: Ruleset]) {
        self.view = view
        self.balancers = balancers
        tracer = Tracer(tables: tables)
    }
}

/// Follows a packet from its source through the hooks of every node on its way: prerouting, routing, forward or input,
/// postrouting, and across the VXLAN to the next node.
package struct PacketWalk: Sendable {
    private let nodes: [NodeTables]
    /// Load balancers' addresses that no node answers for.
    private let unanswered: Set<IPAddress>
    /// Where the user's own network leads to some node.
    private let externalIPs: Set<IPAddress>
    private static let mostNodes = 4

    package init(nodes: [NodeTables], unanswered: Set<IPAddress> = [], externalIPs: Set<IPAddress> = []) {
        self.nodes = nodes
        self.unanswered = unanswered
        self.externalIPs = externalIPs
    }

    /// The node that a client outside has to hand a packet to, where nobody on the nodes' LAN has its destination.
    package func router(to destination: IPAddress) -> IPAddress? {
        if nodes.contains(where: { $0.has(destination) }) { return nil }
        return entry(to: destination)?.view.address
    }

    /// Where a packet from outside comes into the cluster: at the machine that has its destination, at the node whose pods have it, or, by
    /// a route of the user's, at any node: here the first.
    private func entry(to destination: IPAddress) -> NodeTables? {
        nodes.first { $0.has(destination) } ?? nodes.first { $0.view.podCIDR.contains(destination) }
            ?? (externalIPs.contains(destination) ? nodes.first { $0.view.family == destination.family } : nil)
    }

    package func journeys(from source: PacketSource, to destination: IPAddress, proto: UInt8, port: UInt16 = 0) -> [Journey] {
        switch source {
        case .pod(let address, let name):
            let packet = Packet(from: address, to: destination, proto: proto, port: port)
            // What a pod says to itself never leaves it.
            if address == destination { return [Journey(end: .delivered(address), packet: packet)] }
            guard let node = node(named: name, destination.family) else { return [] }
            return enter(node, Journey(end: .delivered(destination), packet: packet), visited: 0)
        case .node(let name):
            guard let node = node(named: name, destination.family) else { return [] }
            let packet = Packet(from: sourceAddress(node, destination), to: destination, proto: proto, port: port)
            return pass(node, .output, Journey(end: .delivered(destination), packet: packet)).flatMap { journey -> [Journey] in
                guard journey.isDelivered else { return [journey] }
                if node.has(journey.packet.destination) { return pass(node, .input, journey).map(arrived) }
                return leave(node, journey, visited: 0)
            }
        case .outside(let address):
            let packet = Packet(from: address, to: destination, proto: proto, port: port)
            let journey = Journey(end: .delivered(destination), packet: packet)
            // Nobody on the LAN has a cluster address.
            if unanswered.contains(destination) || nodes.contains(where: { $0.view.serviceCIDR.contains(destination) }) { return [] }
            guard let node = entry(to: destination) else { return [arrived(journey)] }
            return enter(node, journey, visited: 0)
        }
    }

    /// What a node calls itself depends on the way out: its bridge's address, its VXLAN device's, or its own.
    private func sourceAddress(_ node: NodeTables, _ destination: IPAddress) -> IPAddress {
        if node.view.podCIDR.contains(destination) { return node.view.podCIDR[1] }
        // To itself it speaks as itself.
        if node.balancers.contains(destination) { return destination }
        return nodes.contains { $0.view.podCIDR.contains(destination) } ? node.view.podCIDR.network : node.view.address
    }

    /// The address that a packet of `source` leaves with.
    package func sourceAddress(of source: PacketSource, to destination: IPAddress) -> IPAddress {
        switch source {
        case .pod(let address, _), .outside(let address): address
        case .node(let name):
            node(named: name, destination.family).map { sourceAddress($0, destination) } ?? .unspecified(destination.family)
        }
    }

    /// What a node's tables make of a packet at one hook: as many ways as they choose among.
    package func traces(of packet: Packet, on node: String, _ point: Hook.Point) -> [Trace] {
        self.node(named: node, packet.destination.family)?.tracer.traverse(packet, point) ?? []
    }

    private func node(named name: String, _ family: IPFamily) -> NodeTables? {
        nodes.first { $0.view.name == name && $0.view.family == family }
    }

    /// A packet that comes to a node from a pod, another node or outside.
    private func enter(_ node: NodeTables, _ journey: Journey, visited: Int) -> [Journey] {
        pass(node, .prerouting, journey).flatMap { journey -> [Journey] in
            guard journey.isDelivered else { return [journey] }
            if node.has(journey.packet.destination) { return pass(node, .input, journey).map(arrived) }
            return pass(node, .forward, journey).flatMap { $0.isDelivered ? leave(node, $0, visited: visited) : [$0] }
        }
    }

    /// A packet that a node sends on: to a pod of its own, to another node, or out.
    private func leave(_ node: NodeTables, _ journey: Journey, visited: Int) -> [Journey] {
        pass(node, .postrouting, journey).flatMap { journey -> [Journey] in
            guard journey.isDelivered else { return [journey] }
            let destination = journey.packet.destination
            if node.view.podCIDR.contains(destination) || visited >= Self.mostNodes { return [arrived(journey)] }
            guard
                let next = nodes.first(where: {
                    $0.view.name != node.view.name && ($0.has(destination) || $0.view.podCIDR.contains(destination))
                })
            else { return [arrived(journey)] }
            var crossing = journey
            // Marks and the memory of a translation stay with the node that made them.
            crossing.packet.mark = 0
            crossing.packet.isDestinationTranslated = false
            return enter(next, crossing, visited: visited + 1)
        }
    }

    private func pass(_ node: NodeTables, _ point: Hook.Point, _ journey: Journey) -> [Journey] {
        node.tracer.traverse(journey.packet, point).map { trace in
            var next = journey
            next.hops.append(Hop(node: node.view.name, point: point, packet: journey.packet, trace: trace))
            next.packet = trace.packet
            switch trace.outcome {
            case .accept: break
            case .drop: next.end = .dropped
            case .reject: next.end = .rejected
            }
            return next
        }
    }

    private func arrived(_ journey: Journey) -> Journey {
        var journey = journey
        if journey.isDelivered { journey.end = .delivered(journey.packet.destination) }
        return journey
    }
}
