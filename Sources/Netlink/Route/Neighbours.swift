import CMnl
import Glibc
import Model

extension NetlinkSocket {
    /// `ip neigh replace ADDRESS lladdr MAC dev INDEX nud permanent`
    package mutating func addNeighbour(_ address: IPAddress, _ mac: MACAddress, dev index: Int32) throws(NetlinkError) {
        var info = Self.neighbour(address.family.number, index)
        info.ndm_state = UInt16(NUD_PERMANENT)
        let message = NetlinkMessage(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(NDA_DST, address.bytes)
        message.put(NDA_LLADDR, mac.bytes)
        try execute(message, "ip neigh replace \(address) lladdr \(mac) dev #\(index) nud permanent")
    }

    /// `ip neigh del ADDRESS dev INDEX`; an entry that is not there is no error.
    package mutating func deleteNeighbour(_ address: IPAddress, dev index: Int32) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_DELNEIGH, NLM_F_ACK, Self.neighbour(address.family.number, index))
        message.put(NDA_DST, address.bytes)
        do throws(NetlinkError) { try execute(message, "ip neigh del \(address) dev #\(index)") } catch {
            if !error.isNotFound { throw error }
        }
    }

    /// `bridge fdb del MAC dev INDEX self dst ADDRESS`; an entry that is not there is no error.
    package mutating func deleteFDBEntry(_ mac: MACAddress, dst address: IPAddress, dev index: Int32) throws(NetlinkError) {
        var info = Self.neighbour(AF_BRIDGE, index)
        info.ndm_flags = UInt8(NTF_SELF)
        let message = NetlinkMessage(RTM_DELNEIGH, NLM_F_ACK, info)
        message.put(NDA_LLADDR, mac.bytes)
        message.put(NDA_DST, address.bytes)
        do throws(NetlinkError) { try execute(message, "bridge fdb del \(mac) dev #\(index) self dst \(address)") } catch {
            if !error.isNotFound { throw error }
        }
    }

    /// `bridge fdb replace MAC dev INDEX self dst ADDRESS permanent`: which node's address a VXLAN frame is sent to.
    package mutating func addFDBEntry(_ mac: MACAddress, dst address: IPAddress, dev index: Int32) throws(NetlinkError) {
        var info = Self.neighbour(AF_BRIDGE, index)
        info.ndm_state = UInt16(NUD_PERMANENT)
        info.ndm_flags = UInt8(NTF_SELF)
        let message = NetlinkMessage(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(NDA_LLADDR, mac.bytes)
        message.put(NDA_DST, address.bytes)
        try execute(message, "bridge fdb replace \(mac) dev #\(index) self dst \(address) permanent")
    }

    /// `ip -4 neigh show nud permanent`, or `ip -6`
    package mutating func neighbours(_ family: IPFamily = .ipv4) throws(NetlinkError) -> [(
        address: IPAddress, mac: MACAddress, device: Int32
    )] {
        try permanentEntries(family.number, "ip \(family.option) neigh show")
    }

    /// `bridge fdb show`, those entries that lead to another host.
    package mutating func fdbEntries() throws(NetlinkError) -> [(address: IPAddress, mac: MACAddress, device: Int32)] {
        try permanentEntries(AF_BRIDGE, "bridge fdb show")
    }

    private mutating func permanentEntries(
        _ family: Int32, _ operation: String
    ) throws(NetlinkError) -> [(address: IPAddress, mac: MACAddress, device: Int32)] {
        var found: [(IPAddress, MACAddress, Int32)] = []
        try run(NetlinkMessage(RTM_GETNEIGH, NLM_F_DUMP, Self.neighbour(family, 0)), { operation }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let info = payload.load(as: ndmsg.self)
            guard info.ndm_state & UInt16(NUD_PERMANENT) != 0 else { return }
            var address: IPAddress?, mac: MACAddress?
            let size = MemoryLayout<ndmsg>.size
            forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
                if type == UInt32(NDA_DST) { address = IPAddress(bytes: value) }
                if type == UInt32(NDA_LLADDR) { mac = MACAddress(Array(value)) }
            }
            if let address, let mac { found.append((address, mac, info.ndm_ifindex)) }
        }
        return found
    }

    private static func neighbour(_ family: Int32, _ index: Int32) -> ndmsg {
        var info = ndmsg()
        info.ndm_family = UInt8(family)
        info.ndm_ifindex = index
        return info
    }
}
