import Model
import Netlink

/// What the kernel has of a cluster's network at one moment.
package struct MapSight: Sendable {
    /// One network namespace.
    package struct Place: Sendable {
        package var links: [Link]
        /// By the device's index: `10.244.0.1/24`.
        package var addresses: [Int32: [String]]

        package init(links: [Link], addresses: [Int32: [String]] = [:]) { (self.links, self.addresses) = (links, addresses) }
    }

    package var nodes: [String: Place] = [:]
    package var lan: Place?
    package var outside: Place?
    /// The index of the node's end of a pod's link.
    package var attachments: [ObjectKey: Int32] = [:]
    /// Nodes that somebody has switched off, stopped or cut off: `stopped`, `paused`, `cut off`.
    package var troubles: [String: String] = [:]

    package init() {}

    func place(of machine: ClusterMap.Machine) -> Place? {
        switch machine.kind {
        case .node: nodes[machine.name]
        case .lan: lan
        case .outside: outside
        }
    }

    /// Who is at the other end of a link of a machine's.
    func neighbour(of link: Link, _ machine: ClusterMap.Machine, pods: [Int32: ObjectKey]) -> String? {
        guard link.kind == "veth" else { return nil }
        switch machine.kind {
        case .node: return pods[link.index].map { "\($0)" } ?? (link.name == "eth0" ? "LAN" : nil)
        case .outside: return "LAN"
        case .lan:
            // What no node has at its other end is the outside client's.
            return nodes.first { $0.value.links.contains { $0.name == "eth0" && $0.peer == link.index } }?.key ?? "outside"
        }
    }
}

/// Whoever tells what the kernel has: eyes, or a test's memory.
package protocol MapSource: Sendable {
    /// The links of all machines, and where those of `pods` lead.
    func look(at pods: [Pod]) async throws -> MapSight
    /// The connections that something was sent on since the last call; `now` in seconds, by any clock that goes on.
    func moved(now: Double) async throws -> [ConnectionMoves.Connection]
}
