import CMnl
import Glibc
import Model

extension NetlinkSocket {
    /// `ip addr add ADDRESS/LENGTH dev INDEX [noprefixroute]`; the same address there already is no error.
    package mutating func addAddress(
        _ address: IPv4Address, _ prefixLength: Int, dev index: Int32, prefixRoute: Bool = true
    ) throws(NetlinkError) {
        var info = ifaddrmsg()
        info.ifa_family = UInt8(AF_INET)
        info.ifa_prefixlen = UInt8(prefixLength)
        info.ifa_index = UInt32(index)
        let message = NetlinkMessage(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(IFA_LOCAL, address.bytes)
        message.put(IFA_ADDRESS, address.bytes)
        if prefixLength < 31 {
            message.put(IFA_BROADCAST, CIDR(address, prefixLength).last.bytes)
        }
        if !prefixRoute { message.put(IFA_FLAGS, u32: UInt32(IFA_F_NOPREFIXROUTE)) }
        try execute(message, "ip addr add \(address)/\(prefixLength) dev #\(index)")
    }

    /// `ip route replace DESTINATION [via GATEWAY] dev INDEX [onlink] [scope link]`
    package mutating func addRoute(
        _ destination: CIDR, via gateway: IPv4Address? = nil, dev index: Int32, onlink: Bool = false, source: IPv4Address? = nil
    ) throws(NetlinkError) {
        let message = NetlinkMessage(
            RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, Self.route(destination, gateway: gateway, onlink: onlink))
        Self.fill(message, destination, gateway, index, source)
        try execute(message, "ip route replace \(destination)\(gateway.map { " via \($0)" } ?? "") dev #\(index)")
    }

    /// `ip -4 addr show`
    package mutating func addresses() throws(NetlinkError) -> [(address: IPv4Address, prefixLength: Int, device: Int32)] {
        var found: [(IPv4Address, Int, Int32)] = []
        var request = ifaddrmsg()
        request.ifa_family = UInt8(AF_INET)
        try run(NetlinkMessage(RTM_GETADDR, NLM_F_DUMP, request), { "ip -4 addr show" }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let info = payload.load(as: ifaddrmsg.self)
            let size = MemoryLayout<ifaddrmsg>.size
            forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
                guard type == UInt32(IFA_LOCAL) else { return }
                found.append(
                    (IPv4Address(UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))), Int(info.ifa_prefixlen), Int32(info.ifa_index)))
            }
        }
        return found
    }

    /// `ip -4 route show table main`: destinations, the devices they go out of, and the gateways they go by.
    package mutating func routes() throws(NetlinkError) -> [(destination: CIDR, device: Int32, gateway: IPv4Address?)] {
        var found: [(CIDR, Int32, IPv4Address?)] = []
        var request = rtmsg()
        request.rtm_family = UInt8(AF_INET)
        try run(NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, request), { "ip -4 route show" }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let info = payload.load(as: rtmsg.self)
            guard info.rtm_table == RT_TABLE_MAIN.rawValue, info.rtm_type == RTN_UNICAST else { return }
            var destination = IPv4Address.any
            var device: Int32 = 0
            var gateway: IPv4Address?
            let size = MemoryLayout<rtmsg>.size
            forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
                if type == RTA_DST.rawValue { destination = IPv4Address(UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))) }
                if type == RTA_GATEWAY.rawValue { gateway = IPv4Address(UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))) }
                if type == RTA_OIF.rawValue { device = value.loadUnaligned(as: Int32.self) }
            }
            found.append((CIDR(destination, Int(info.rtm_dst_len)), device, gateway))
        }
        return found
    }

    private static func route(_ destination: CIDR, gateway: IPv4Address?, onlink: Bool) -> rtmsg {
        var info = rtmsg()
        info.rtm_family = UInt8(AF_INET)
        info.rtm_dst_len = UInt8(destination.prefixLength)
        info.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        info.rtm_protocol = UInt8(RTPROT_STATIC)
        info.rtm_scope = UInt8(gateway == nil ? RT_SCOPE_LINK.rawValue : RT_SCOPE_UNIVERSE.rawValue)
        info.rtm_type = UInt8(RTN_UNICAST)
        if onlink { info.rtm_flags = UInt32(RTNH_F_ONLINK) }
        return info
    }

    private static func fill(
        _ message: borrowing NetlinkMessage, _ destination: CIDR, _ gateway: IPv4Address?, _ index: Int32, _ source: IPv4Address?
    ) {
        if destination.prefixLength > 0 { message.put(RTA_DST.rawValue, destination.network.bytes) }
        if let gateway { message.put(RTA_GATEWAY.rawValue, gateway.bytes) }
        if let source { message.put(RTA_PREFSRC.rawValue, source.bytes) }
        message.put(RTA_OIF.rawValue, u32: UInt32(index))
    }
}
