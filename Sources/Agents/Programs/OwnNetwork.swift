import Model
import Netlink
import Runtime

/// The network namespace that this process is in: a node's, for a pod with hostNetwork.
package actor OwnNetwork {
    private let executor = QueueExecutor("network")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var place: NetworkPlace

    package init() throws(NetlinkError) { place = try NetworkPlace(NetworkNamespace.current()) }

    /// The link by which a family's default route leaves.
    package func defaultLink(_ family: IPFamily) throws -> String? {
        let routes = try place.socket.routes(family).filter { $0.destination.prefixLength == 0 }
        return try place.socket.links().first { link in routes.contains { $0.device == link.index } }?.name
    }

    /// The addresses of each link, but those that are good for one link alone.
    package func links() throws -> [(name: String, mtu: Int, addresses: [IPAddress], networks: [IPNetwork])] {
        var found: [Int32: [(IPAddress, Int)]] = [:]
        for family in IPFamily.allCases {
            for entry in try place.socket.addresses(family) where !Self.linkLocal.contains(entry.address) {
                found[entry.device, default: []].append((entry.address, entry.prefixLength))
            }
        }
        return try place.socket.links().map { link in
            let own = found[link.index] ?? []
            return (link.name, link.mtu, own.map(\.0), own.map { IPNetwork($0.0, $0.1) })
        }
    }

    /// fe80::/10
    private static let linkLocal = IPNetwork(IPAddress(.ipv6, number: 0xFE80 << 112), 10)

    /// Makes what is missing of `items`, and takes away what `stale` finds; in words, what was done.
    package func apply(_ items: [NetworkItem], stale: @Sendable (NetworkReading) -> [NetworkItem] = { _ in [] }) throws -> [String] {
        let made = try place.repair(items).map { "\($0)" }
        let gone = stale(try place.read(for: items))
        for item in gone { try place.delete(item) }
        return made + gone.map { "\($0): taken away" }
    }

    package func delete(link: String) throws { try place.socket.deleteLink(link) }
}
