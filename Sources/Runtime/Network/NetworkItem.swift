import Model
import Netlink

/// One thing that a network namespace should have, so that it can be looked for and made.
package enum NetworkItem: Sendable, Hashable {
    case link(LinkItem)
    case address(IPAddress, Int, dev: String)
    case route(IPNetwork, via: IPAddress, dev: String, onlink: Bool = false)
    /// The kernel makes it with the address, but not again when only it is gone.
    case connected(IPNetwork, from: IPAddress?, dev: String)
    /// Addresses that lead nowhere.
    case blackhole(IPNetwork)
    case neighbour(IPAddress, MACAddress, dev: String)
    /// Where a VXLAN sends the frames for an address.
    case forwarding(MACAddress, to: IPAddress, dev: String)
    case sysctl(String, String)
}

/// A link as it should be.
package struct LinkItem: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case bridge
        case vxlan(vni: Int, underlay: String, local: IPAddress, port: UInt16)
        /// One end of a veth, which whoever plugs it in makes.
        case plug
    }

    package var name: String
    package var kind: Kind
    package var mtu: Int
    package var address: MACAddress?
    package var master: String?
    /// One that is down connects nobody.
    package var isUp = true

    package init(_ name: String, _ kind: Kind, mtu: Int, address: MACAddress? = nil, master: String? = nil) {
        self.name = name
        self.kind = kind
        self.mtu = mtu
        self.address = address
        self.master = master
    }

    var kernelKind: String {
        switch kind {
        case .bridge: "bridge"
        case .vxlan: "vxlan"
        case .plug: "veth"
        }
    }
}

extension NetworkItem: CustomStringConvertible {
    /// As `ip` would say it.
    package var description: String {
        switch self {
        case .link(let link): "link \(link.name)\(link.master.map { " on \($0)" } ?? "")\(link.isUp ? "" : " down")"
        case .address(let address, let length, let device): "address \(address)/\(length) on \(device)"
        case .route(let destination, let gateway, let device, _):
            "route \(destination.prefixLength == 0 ? "default" : "\(destination)") via \(gateway) dev \(device)"
        case .connected(let destination, _, let device): "route \(destination) dev \(device)"
        case .blackhole(let destination): "route blackhole \(destination)"
        case .neighbour(let address, let mac, let device): "neighbour \(address) lladdr \(mac) dev \(device)"
        case .forwarding(let mac, let address, let device): "fdb entry \(mac) dst \(address) dev \(device)"
        case .sysctl(let key, let value): "sysctl \(key)=\(value)"
        }
    }
}

extension NetworkItem {
    /// An address of a host of `network`, and the way to the others.
    static func onLink(_ address: IPAddress, in network: IPNetwork, dev device: String) -> [NetworkItem] {
        [.address(address, network.prefixLength, dev: device), .connected(network, from: address, dev: device)]
    }

    /// Packets of a family that are for somebody else go on.
    static func routing(_ family: IPFamily) -> NetworkItem {
        .sysctl(family == .ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding", "1")
    }

    /// Whether the tables of a family see what a bridge passes on.
    static func bridgeFiltering(_ family: IPFamily, isOn: Bool) -> NetworkItem {
        .sysctl("net.bridge.bridge-nf-call-\(family == .ipv4 ? "iptables" : "ip6tables")", isOn ? "1" : "0")
    }

    var isRoute: Bool {
        switch self {
        case .route, .connected, .blackhole: true
        case .link, .address, .neighbour, .forwarding, .sysctl: false
        }
    }

    /// The family of what only one family has; nil for the others.
    var family: IPFamily? {
        switch self {
        case .address(let address, _, _), .neighbour(let address, _, _): address.family
        case .route(let destination, _, _, _), .connected(let destination, _, _), .blackhole(let destination): destination.family
        case .link, .forwarding, .sysctl: nil
        }
    }
}
