import Model
import Runtime

/// The link that a node talks to the others by.
package struct Uplink: Sendable, Equatable {
    package let name: String
    package let mtu: Int
    /// The addresses that it has, each with its network.
    package let networks: [IPNetwork]

    package init(name: String, mtu: Int, networks: [IPNetwork]) {
        self.name = name
        self.mtu = mtu
        self.networks = networks
    }

    package func isNeighbour(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    /// What is there of an earlier state of things and leads to nobody: in the tunnels among `wanted` all that is not wanted, elsewhere the
    /// routes to ranges that are nodes' parts of the pods' network, `isPart`.
    package func stale(_ reading: NetworkReading, wanted: [NetworkItem], isPart: (IPNetwork) -> Bool) -> [NetworkItem] {
        let names = Dictionary(reading.links.values.map { ($0.index, $0.name) }, uniquingKeysWith: { $1 })
        let tunnels = wanted.compactMap { if case .link(let link) = $0 { link.name } else { nil } }
        let wanted = Set(wanted.map(\.description))
        func tunnel(_ index: Int32) -> String? { names[index].flatMap { tunnels.contains($0) ? $0 : nil } }
        var found = reading.routes.compactMap { route -> NetworkItem? in
            guard let gateway = route.gateway, let device = names[route.device], device == name || tunnels.contains(device),
                isPart(route.destination)
            else { return nil }
            return .route(route.destination, via: gateway, dev: device)
        }
        found += reading.neighbours.compactMap { entry in tunnel(entry.device).map { .neighbour(entry.address, entry.mac, dev: $0) } }
        found += reading.forwarding.compactMap { entry in tunnel(entry.device).map { .forwarding(entry.mac, to: entry.address, dev: $0) } }
        return found.filter { !wanted.contains($0.description) }.sorted { $0.description < $1.description }
    }
}
