import Model
import Netlink

/// What a network namespace has, as the kernel told it.
package struct NetworkReading: Sendable, Hashable {
    package struct Address: Sendable, Hashable {
        package var address: IPAddress
        package var prefixLength: Int
        package var device: Int32

        package init(_ address: IPAddress, _ prefixLength: Int, _ device: Int32) {
            self.address = address
            self.prefixLength = prefixLength
            self.device = device
        }
    }

    package struct Route: Sendable, Hashable {
        package var destination: IPNetwork
        package var gateway: IPAddress?
        package var device: Int32

        package init(_ destination: IPNetwork, via gateway: IPAddress?, _ device: Int32) {
            self.destination = destination
            self.gateway = gateway
            self.device = device
        }
    }

    package struct Neighbour: Sendable, Hashable {
        package var address: IPAddress
        package var mac: MACAddress
        package var device: Int32

        package init(_ address: IPAddress, _ mac: MACAddress, _ device: Int32) {
            self.address = address
            self.mac = mac
            self.device = device
        }
    }

    package var links: [String: Link] = [:]
    package var addresses: Set<Address> = []
    package var routes: Set<Route> = []
    package var neighbours: Set<Neighbour> = []
    package var forwarding: Set<Neighbour> = []
    package var sysctls: [String: String] = [:]

    package init() {}

    package func has(_ item: NetworkItem) -> Bool {
        func index(_ name: String) -> Int32 { links[name]?.index ?? -1 }
        switch item {
        case .link(let wanted):
            guard let link = links[wanted.name], link.kind == wanted.kernelKind, link.isUp == wanted.isUp else { return false }
            // A bridge takes the smallest MTU of its ports, and Ethernet's when it has none.
            let followed = wanted.kind == .bridge ? links.values.filter { $0.master == link.index }.map(\.mtu).min() ?? 1500 : wanted.mtu
            guard [wanted.mtu, followed].contains(link.mtu) else { return false }
            return (wanted.address == nil || link.address == wanted.address)
                && (wanted.master == nil || link.master == wanted.master.map(index))
        case .address(let address, let length, let device): return addresses.contains(Address(address, length, index(device)))
        case .route(let destination, let gateway, let device, _): return routes.contains(Route(destination, via: gateway, index(device)))
        case .connected(let destination, _, let device): return routes.contains(Route(destination, via: nil, index(device)))
        case .blackhole(let destination): return routes.contains(Route(destination, via: nil, 0))
        case .neighbour(let address, let mac, let device): return neighbours.contains(Neighbour(address, mac, index(device)))
        case .forwarding(let mac, let address, let device): return forwarding.contains(Neighbour(address, mac, index(device)))
        case .sysctl(let key, let value): return sysctls[key] == value
        }
    }

    /// What of a layout is not there, in the layout's order.
    package func missing(of layout: [NetworkItem]) -> [NetworkItem] { layout.filter { !has($0) } }
}
