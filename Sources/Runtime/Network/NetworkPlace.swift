import Glibc
import Model
import Netlink

/// A network namespace that is held against a layout: read, compared, corrected.
package struct NetworkPlace: ~Copyable {
    private let namespace: NetworkNamespace
    package var socket: NetlinkSocket

    package init(path: String) throws(NetlinkError) { try self.init(NetworkNamespace(path: path)) }

    package init(_ namespace: consuming NetworkNamespace) throws(NetlinkError) {
        socket = try NetlinkSocket(in: namespace)
        self.namespace = namespace
    }

    /// What the namespace has of the kinds that `layout` speaks of.
    package mutating func read(for layout: [NetworkItem]) throws(NetlinkError) -> NetworkReading {
        for _ in 0..<4 {
            do { return try readOnce(layout) } catch {
                // Somebody changed it while it was told: ask again.
                if error.errno != EINTR { throw error }
            }
        }
        return try readOnce(layout)
    }

    private mutating func readOnce(_ layout: [NetworkItem]) throws(NetlinkError) -> NetworkReading {
        var reading = NetworkReading()
        for link in try socket.links() { reading.links[link.name] = link }
        let hasNeighbours = layout.contains { if case .neighbour = $0 { true } else { false } }
        for family in IPFamily.allCases where layout.contains(where: { $0.family == family }) {
            reading.addresses.formUnion(try socket.addresses(family).map { NetworkReading.Address($0.address, $0.prefixLength, $0.device) })
            reading.routes.formUnion(try socket.routes(family).map { NetworkReading.Route($0.destination, via: $0.gateway, $0.device) })
            guard hasNeighbours else { continue }
            reading.neighbours.formUnion(try socket.neighbours(family).map { NetworkReading.Neighbour($0.address, $0.mac, $0.device) })
        }
        if hasNeighbours { reading.forwarding = Set(try socket.fdbEntries().map { .init($0.address, $0.mac, $0.device) }) }
        for case .sysctl(let key, _) in layout { reading.sysctls[key] = try namespace.sysctl(key) }
        return reading
    }

    /// Makes what is missing of `layout`, whose items stand in the order in which they can be made; what was found missing. What goes with
    /// a link that has to be made again comes again, too. `besideOthers`: routes by other links to the same places stay, behind these; the
    /// namespace is not only the layout's.
    package mutating func repair(_ layout: [NetworkItem], besideOthers: Bool = false) throws(NetlinkError) -> [NetworkItem] {
        var found: [NetworkItem] = []
        for _ in 0..<Self.rounds {
            let missing = try read(for: layout).missing(of: layout)
            if missing.isEmpty { return found }
            for item in missing {
                if !found.contains(item) { found.append(item) }
                try make(item, besideOthers)
            }
        }
        if let still = try read(for: layout).missing(of: layout).first { throw NetlinkError("repair \(still)", errno: EAGAIN) }
        return found
    }

    private static let rounds = 3

    private mutating func make(_ item: NetworkItem, _ besideOthers: Bool) throws(NetlinkError) {
        switch item {
        case .link(let link): try make(link)
        case .address(let address, let length, let device): try socket.addAddress(address, length, dev: try socket.index(of: device))
        case .route(let destination, let gateway, let device, let onlink):
            try socket.addRoute(
                destination, via: gateway, dev: try socket.index(of: device), onlink: onlink, besideOthers: besideOthers)
        case .connected(let destination, let source, let device):
            try socket.addRoute(destination, dev: try socket.index(of: device), source: source, besideOthers: besideOthers)
        case .blackhole(let destination): try socket.addBlackhole(destination)
        case .neighbour(let address, let mac, let device): try socket.addNeighbour(address, mac, dev: try socket.index(of: device))
        case .forwarding(let mac, let address, let device): try socket.addFDBEntry(mac, dst: address, dev: try socket.index(of: device))
        case .sysctl(let key, let value): try namespace.set(sysctl: key, value)
        }
    }

    /// Takes away what is there of a layout no more; what is not there is no error. Addresses, settings and black holes stay.
    package mutating func delete(_ item: NetworkItem) throws(NetlinkError) {
        switch item {
        case .link(let link): try socket.deleteLink(link.name)
        case .route(let destination, let gateway, let device, _):
            guard let link = try socket.link(device) else { return }
            try socket.deleteRoute(destination, via: gateway, dev: link.index)
        case .connected(let destination, _, let device):
            guard let link = try socket.link(device) else { return }
            try socket.deleteRoute(destination, dev: link.index)
        case .neighbour(let address, _, let device):
            guard let link = try socket.link(device) else { return }
            try socket.deleteNeighbour(address, dev: link.index)
        case .forwarding(let mac, let address, let device):
            guard let link = try socket.link(device) else { return }
            try socket.deleteFDBEntry(mac, dst: address, dev: link.index)
        case .address, .blackhole, .sysctl: break
        }
    }

    private mutating func make(_ wanted: LinkItem) throws(NetlinkError) {
        var link = try socket.link(wanted.name)
        if let found = link, found.kind != wanted.kernelKind, wanted.kind != .plug {
            try socket.deleteLink(wanted.name)
            link = nil
        }
        let master = try wanted.master.map { name throws(NetlinkError) in try socket.index(of: name) }
        if let link {
            return try socket.configure(
                link.index, isUp: wanted.isUp, mtu: link.mtu == wanted.mtu ? nil : wanted.mtu,
                address: link.address == wanted.address ? nil : wanted.address,
                master: link.master == master ? nil : master)
        }
        let address = wanted.address ?? MACAddress(derivedFrom: wanted.name)
        switch wanted.kind {
        case .bridge: try socket.addBridge(wanted.name, mtu: wanted.mtu, address: address)
        case .vxlan(let vni, let underlay, let local, let port):
            let device = try socket.index(of: underlay)
            func add() throws(NetlinkError) {
                try socket.addVXLAN(wanted.name, vni: vni, underlay: device, local: local, port: port, mtu: wanted.mtu, address: address)
            }
            do { try add() } catch {
                guard error.errno == EEXIST else { throw error }
                // Another device has its VNI, such as itself under a name that somebody gave it.
                for holder in try socket.links() where holder.vni == vni && holder.underlay == local.family {
                    try socket.deleteLink(holder.name)
                }
                try add()
            }
        case .plug: throw NetlinkError("ip link show dev \(wanted.name)", errno: ENODEV)
        }
    }
}
