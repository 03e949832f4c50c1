import Model
import Netlink

/// One thing that a network namespace should have, so that it can be looked for and made.
package enum NetworkItem: Sendable, Hashable {
    case link(LinkItem)
    case address(IPAddress, Int, dev: String)
    case route(IPNetwork, via: IPAddress, dev: String, onlink: Bool = false)
    /// The kernel makes it with the address, but not again when only it is gone.
    case connected(IPNetwork, from: IPAddress, dev: String)
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
        case .link(let link): "link \(link.name)\(link.master.map { " on \($0)" } ?? "")"
        case .address(let address, let length, let device): "address \(address)/\(length) on \(device)"
        case .route(let destination, let gateway, let device, _):
            "route \(destination.prefixLength == 0 ? "default" : "\(destination)") via \(gateway) dev \(device)"
        case .connected(let destination, _, let device): "route \(destination) dev \(device)"
        case .neighbour(let address, let mac, let device): "neighbour \(address) lladdr \(mac) dev \(device)"
        case .forwarding(let mac, let address, let device): "fdb entry \(mac) dst \(address) dev \(device)"
        case .sysctl(let key, let value): "sysctl \(key)=\(value)"
        }
    }
}
