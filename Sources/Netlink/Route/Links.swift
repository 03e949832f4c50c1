import CMnl
import Glibc
import Model

/// A network device as `ip -d link` describes it.
package struct Link: Sendable, Hashable {
    package var index: Int32
    package var name: String
    package var mtu: Int
    package var address: MACAddress?
    package var isUp: Bool
    /// Whether frames pass: it is up, and so is what it is plugged into. (IFF_RUNNING; `LOWER_UP`)
    package var hasCarrier = false
    /// `veth`, `bridge`, `vxlan`, ...; nil for plain devices.
    package var kind: String?
    package var master: Int32?
    /// A veth's other end, by its index in whatever namespace it is.
    package var peer: Int32?
    /// What somebody has written to it. (IFLA_IFALIAS)
    package var alias: String?
    /// A VXLAN's network identifier, and the family that it talks in.
    package var vni: Int?
    package var underlay: IPFamily?
    /// What has gone through it; nil where nobody asked.
    package var statistics: LinkStatistics?

    package init(index: Int32, name: String, mtu: Int, address: MACAddress?, isUp: Bool, kind: String?, master: Int32?) {
        self.index = index
        self.name = name
        self.mtu = mtu
        self.address = address
        self.isUp = isUp
        self.kind = kind
        self.master = master
    }
}

extension NetlinkSocket {
    private static func info(_ index: Int32 = 0, up: Bool? = nil, family: Int32 = AF_UNSPEC) -> ifinfomsg {
        var info = ifinfomsg()
        info.ifi_family = UInt8(family)
        info.ifi_index = index
        if let up {
            info.ifi_flags = up ? UInt32(IFF_UP) : 0
            info.ifi_change = UInt32(IFF_UP)
        }
        return info
    }

    private static var creation: Int32 { NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL }

    /// `ip link add NAME up type bridge`
    package mutating func addBridge(_ name: String, mtu: Int, address: MACAddress) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_NEWLINK, Self.creation, Self.info(up: true))
        message.put(IFLA_IFNAME, name)
        message.put(IFLA_MTU, u32: UInt32(mtu))
        message.put(IFLA_ADDRESS, address.bytes)
        message.nest(IFLA_LINKINFO) { message.put(IFLA_INFO_KIND, "bridge") }
        try execute(message, "ip link add \(name) type bridge")
    }

    /// `ip link add NAME up type vxlan id VNI dev UNDERLAY local ADDRESS dstport PORT nolearning`
    package mutating func addVXLAN(
        _ name: String, vni: Int, underlay: Int32, local: IPAddress, port: UInt16, mtu: Int, address: MACAddress
    ) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_NEWLINK, Self.creation, Self.info(up: true))
        message.put(IFLA_IFNAME, name)
        message.put(IFLA_MTU, u32: UInt32(mtu))
        message.put(IFLA_ADDRESS, address.bytes)
        message.nest(IFLA_LINKINFO) {
            message.put(IFLA_INFO_KIND, "vxlan")
            message.nest(IFLA_INFO_DATA) {
                message.put(IFLA_VXLAN_ID, u32: UInt32(vni))
                message.put(IFLA_VXLAN_LINK, u32: UInt32(underlay))
                message.put(local.family == .ipv4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local.bytes)
                message.put(IFLA_VXLAN_PORT, u16: port.bigEndian)
                message.put(IFLA_VXLAN_LEARNING, u8: 0)
            }
        }
        try execute(message, "ip link add \(name) type vxlan id \(vni) local \(local) dstport \(port) nolearning")
    }

    /// `ip link add NAME mtu MTU master BRIDGE up type veth peer name PEER address MAC netns NAMESPACE`; the peer is down.
    package mutating func addVeth(
        _ name: String, master: Int32? = nil, mtu: Int, address: MACAddress? = nil, peer: String,
        peerAddress: MACAddress? = nil, peerNamespace: borrowing NetworkNamespace
    ) throws(NetlinkError) {
        let peerDescriptor = UInt32(peerNamespace.descriptor)
        let message = NetlinkMessage(RTM_NEWLINK, Self.creation, Self.info(up: true))
        message.put(IFLA_IFNAME, name)
        message.put(IFLA_MTU, u32: UInt32(mtu))
        if let address { message.put(IFLA_ADDRESS, address.bytes) }
        if let master { message.put(IFLA_MASTER, u32: UInt32(master)) }
        message.nest(IFLA_LINKINFO) {
            message.put(IFLA_INFO_KIND, "veth")
            message.nest(IFLA_INFO_DATA) {
                message.nest(VETH_INFO_PEER) {
                    // The peer is made first and cannot come up before there is an other end.
                    message.putExtra(Self.info())
                    message.put(IFLA_IFNAME, peer)
                    message.put(IFLA_MTU, u32: UInt32(mtu))
                    if let peerAddress { message.put(IFLA_ADDRESS, peerAddress.bytes) }
                    message.put(IFLA_NET_NS_FD, u32: peerDescriptor)
                }
            }
        }
        try execute(message, "ip link add \(name) type veth peer name \(peer)")
    }

    /// `ip link set dev INDEX up`
    package mutating func setUp(_ index: Int32) throws(NetlinkError) {
        try execute(NetlinkMessage(RTM_NEWLINK, NLM_F_ACK, Self.info(index, up: true)), "ip link set dev #\(index) up")
    }

    /// `ip link set dev INDEX up mtu MTU address MAC master MASTER`, of which only what is given changes; `down` where it is not to be up.
    package mutating func configure(
        _ index: Int32, isUp: Bool = true, mtu: Int? = nil, address: MACAddress? = nil, master: Int32? = nil
    ) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_NEWLINK, NLM_F_ACK, Self.info(index, up: isUp))
        if let mtu { message.put(IFLA_MTU, u32: UInt32(mtu)) }
        if let address { message.put(IFLA_ADDRESS, address.bytes) }
        if let master { message.put(IFLA_MASTER, u32: UInt32(master)) }
        try execute(message, "ip link set dev #\(index) \(isUp ? "up" : "down")")
    }

    /// `bridge link set dev INDEX hairpin on`: frames may leave by the port they came in by, so that a pod reaches itself
    /// through a Service.
    package mutating func setHairpin(_ index: Int32) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_SETLINK, NLM_F_ACK, Self.info(index, family: AF_BRIDGE))
        message.nest(UInt32(IFLA_PROTINFO) | UInt32(NLA_F_NESTED)) { message.put(IFLA_BRPORT_MODE, u8: 1) }
        try execute(message, "bridge link set dev #\(index) hairpin on")
    }

    /// `ip link set dev INDEX alias TEXT`
    package mutating func setAlias(_ index: Int32, _ text: String) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_SETLINK, NLM_F_ACK, Self.info(index))
        message.put(IFLA_IFALIAS, text)
        try execute(message, "ip link set dev #\(index) alias \"\(text)\"")
    }

    /// `ip link del NAME`; a link that is not there is no error.
    package mutating func deleteLink(_ name: String) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_DELLINK, NLM_F_ACK, Self.info())
        message.put(IFLA_IFNAME, name)
        do { try execute(message, "ip link del \(name)") } catch  where error.isNotFound {}
    }

    /// The group that links get to be deleted together.
    private static let leaving: UInt32 = 0x6D6B_6C76

    /// `ip link set NAME group LEAVING` for each, then `ip link del group LEAVING`. Those that are not there are no error.
    package mutating func deleteLinks(_ names: [String]) throws(NetlinkError) {
        guard names.count > 1 else {
            if let name = names.first { try deleteLink(name) }
            return
        }
        for name in names {
            let message = NetlinkMessage(RTM_SETLINK, NLM_F_ACK, Self.info())
            message.put(IFLA_IFNAME, name)
            message.put(IFLA_GROUP, u32: Self.leaving)
            do { try execute(message, "ip link set \(name) group \(Self.leaving)") } catch  where error.isNotFound {}
        }
        let message = NetlinkMessage(RTM_DELLINK, NLM_F_ACK, Self.info())
        message.put(IFLA_GROUP, u32: Self.leaving)
        do { try execute(message, "ip link del group \(Self.leaving)") } catch  where error.isNotFound {}
    }

    /// RTEXT_FILTER_SKIP_STATS: IPv6's own counters (IFLA_INET6_STATS) are what a look at a link costs most for, and nobody here reads
    /// them. The link's come anyway.
    private static let withoutStatistics: UInt32 = 1 << 3

    /// `ip -d link show dev NAME`; nil when there is none.
    package mutating func link(_ name: String) throws(NetlinkError) -> Link? {
        let message = NetlinkMessage(RTM_GETLINK, NLM_F_ACK, Self.info())
        message.put(IFLA_IFNAME, name)
        message.put(IFLA_EXT_MASK, u32: Self.withoutStatistics)
        var found: Link?
        do { try run(message, { "ip link show dev \(name)" }) { found = Link($0) } } catch  where error.isNotFound { return nil }
        return found
    }

    /// The index of the device `name`, which has to be there.
    package mutating func index(of name: String) throws(NetlinkError) -> Int32 {
        guard let link = try link(name) else { throw NetlinkError("ip link show dev \(name)", errno: ENODEV) }
        return link.index
    }

    /// `ip -d link show`; with statistics `ip -s -d link show`
    package mutating func links(statistics: Bool = false) throws(NetlinkError) -> [Link] {
        var found: [Link] = []
        let message = NetlinkMessage(RTM_GETLINK, NLM_F_DUMP, Self.info())
        message.put(IFLA_EXT_MASK, u32: Self.withoutStatistics)
        try run(message, { statistics ? "ip -s link show" : "ip link show" }) { found.append(Link($0, statistics: statistics)) }
        return found
    }
}

extension Link {
    /// Who did not ask for statistics gets none: two looks at the same link are the same.
    init(_ header: UnsafePointer<nlmsghdr>, statistics: Bool = false) {
        let payload = mnl_nlmsg_get_payload(header)
        let info = payload?.load(as: ifinfomsg.self) ?? ifinfomsg()
        self.init(
            index: info.ifi_index, name: "", mtu: 0, address: nil, isUp: info.ifi_flags & UInt32(IFF_UP) != 0, kind: nil,
            master: nil)
        hasCarrier = info.ifi_flags & UInt32(IFF_RUNNING) != 0
        let size = MemoryLayout<ifinfomsg>.size
        guard let payload else { return }
        var link = self
        forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
            switch type {
            case UInt32(IFLA_IFNAME): link.name = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
            case UInt32(IFLA_MTU): link.mtu = Int(value.loadUnaligned(as: UInt32.self))
            case UInt32(IFLA_ADDRESS): link.address = MACAddress(Array(value))
            case UInt32(IFLA_IFALIAS): link.alias = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
            case UInt32(IFLA_LINK): link.peer = value.loadUnaligned(as: Int32.self)
            case UInt32(IFLA_STATS64) where statistics: link.statistics = LinkStatistics(value)
            case UInt32(IFLA_MASTER): link.master = value.loadUnaligned(as: Int32.self)
            case UInt32(IFLA_LINKINFO):
                guard let start = value.baseAddress else { return }
                forEachAttribute(UnsafeMutableRawPointer(mutating: start), value.count) { type, value in
                    if Int(type) == IFLA_INFO_KIND { link.kind = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
                    // The kernel tells the kind first; what the data's attributes mean depends on it.
                    guard Int(type) == IFLA_INFO_DATA, link.kind == "vxlan", let data = value.baseAddress else { return }
                    forEachAttribute(UnsafeMutableRawPointer(mutating: data), value.count) { type, value in
                        if Int(type) == IFLA_VXLAN_ID {
                            (link.vni, link.underlay) = (Int(value.loadUnaligned(as: UInt32.self)), .ipv4)
                        }
                        if Int(type) == IFLA_VXLAN_LOCAL6 { link.underlay = .ipv6 }
                    }
                }
            default: break
            }
        }
        self = link
    }
}
