import CMnl
import Glibc
import Model

extension NetlinkSocket {
    /// `ip neigh replace ADDRESS lladdr MAC dev INDEX nud permanent`
    package mutating func addNeighbour(_ address: IPv4Address, _ mac: MACAddress, dev index: Int32) throws(NetlinkError) {
        var info = Self.neighbour(AF_INET, index)
        info.ndm_state = UInt16(NUD_PERMANENT)
        let message = NetlinkMessage(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(NDA_DST, address.bytes)
        message.put(NDA_LLADDR, mac.bytes)
        try execute(message, "ip neigh replace \(address) lladdr \(mac) dev #\(index) nud permanent")
    }

    /// `bridge fdb replace MAC dev INDEX self dst ADDRESS permanent`: which node's address a VXLAN frame is sent to.
    package mutating func addFDBEntry(_ mac: MACAddress, dst address: IPv4Address, dev index: Int32) throws(NetlinkError) {
        var info = Self.neighbour(AF_BRIDGE, index)
        info.ndm_state = UInt16(NUD_PERMANENT)
        info.ndm_flags = UInt8(NTF_SELF)
        let message = NetlinkMessage(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(NDA_LLADDR, mac.bytes)
        message.put(NDA_DST, address.bytes)
        try execute(message, "bridge fdb replace \(mac) dev #\(index) self dst \(address) permanent")
    }

    private static func neighbour(_ family: Int32, _ index: Int32) -> ndmsg {
        var info = ndmsg()
        info.ndm_family = UInt8(family)
        info.ndm_ifindex = index
        return info
    }
}
