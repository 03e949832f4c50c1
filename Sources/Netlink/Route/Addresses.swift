import CMnl
import Glibc
import Model

extension NetlinkSocket {
    /// `ip addr add ADDRESS/LENGTH dev INDEX [noprefixroute] [nodad]`; the same address there already is no error. One of IPv6 can be used
    /// at once: nobody else has it, and nobody is asked for a second whether he does.
    package mutating func addAddress(
        _ address: IPAddress, _ prefixLength: Int, dev index: Int32, prefixRoute: Bool = true
    ) throws(NetlinkError) {
        var info = ifaddrmsg()
        info.ifa_family = UInt8(address.family.number)
        info.ifa_prefixlen = UInt8(prefixLength)
        info.ifa_index = UInt32(index)
        let message = NetlinkMessage(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(IFA_LOCAL, address.bytes)
        message.put(IFA_ADDRESS, address.bytes)
        if address.family == .ipv4, prefixLength < 31 {
            message.put(IFA_BROADCAST, IPNetwork(address, prefixLength).last.bytes)
        }
        let flags = (prefixRoute ? 0 : UInt32(IFA_F_NOPREFIXROUTE)) | (address.family == .ipv6 ? UInt32(IFA_F_NODAD) : 0)
        if flags != 0 { message.put(IFA_FLAGS, u32: flags) }
        try execute(message, "ip addr add \(address)/\(prefixLength) dev #\(index)")
    }

    /// `ip addr del ADDRESS/LENGTH dev INDEX`; an address that is not there is no error.
    package mutating func deleteAddress(_ address: IPAddress, _ prefixLength: Int, dev index: Int32) throws(NetlinkError) {
        var info = ifaddrmsg()
        info.ifa_family = UInt8(address.family.number)
        info.ifa_prefixlen = UInt8(prefixLength)
        info.ifa_index = UInt32(index)
        let message = NetlinkMessage(RTM_DELADDR, NLM_F_ACK, info)
        message.put(IFA_LOCAL, address.bytes)
        message.put(IFA_ADDRESS, address.bytes)
        do throws(NetlinkError) { try execute(message, "ip addr del \(address)/\(prefixLength) dev #\(index)") } catch {
            if !error.isNotFound { throw error }
        }
    }

    /// `ip route replace DESTINATION [via GATEWAY] dev INDEX [onlink] [scope link]`; `besideOthers`: `ip route prepend`, which leaves
    /// routes to the same place that go another way.
    package mutating func addRoute(
        _ destination: IPNetwork, via gateway: IPAddress? = nil, dev index: Int32, onlink: Bool = false, source: IPAddress? = nil,
        besideOthers: Bool = false
    ) throws(NetlinkError) {
        let message = NetlinkMessage(
            RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | (besideOthers ? 0 : NLM_F_REPLACE),
            Self.route(destination, gateway: gateway, onlink: onlink))
        Self.fill(message, destination, gateway, index, source)
        try execute(
            message, "ip route \(besideOthers ? "prepend" : "replace") \(destination)\(gateway.map { " via \($0)" } ?? "") dev #\(index)")
    }

    /// `ip route replace blackhole DESTINATION`
    package mutating func addBlackhole(_ destination: IPNetwork) throws(NetlinkError) {
        var info = Self.route(destination, gateway: nil, onlink: false)
        info.rtm_scope = UInt8(RT_SCOPE_UNIVERSE.rawValue)
        info.rtm_type = UInt8(RTN_BLACKHOLE)
        let message = NetlinkMessage(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, info)
        message.put(RTA_DST.rawValue, destination.network.bytes)
        try execute(message, "ip route replace blackhole \(destination)")
    }

    /// `ip route del DESTINATION via GATEWAY dev INDEX`; a route that is not there is no error.
    package mutating func deleteRoute(_ destination: IPNetwork, via gateway: IPAddress? = nil, dev index: Int32) throws(NetlinkError) {
        var info = Self.route(destination, gateway: gateway, onlink: false)
        // Whoever made it, and however far it reaches.
        (info.rtm_protocol, info.rtm_scope) = (UInt8(RTPROT_UNSPEC), UInt8(RT_SCOPE_NOWHERE.rawValue))
        let message = NetlinkMessage(RTM_DELROUTE, NLM_F_ACK, info)
        Self.fill(message, destination, gateway, index, nil)
        do throws(NetlinkError) {
            try execute(message, "ip route del \(destination)\(gateway.map { " via \($0)" } ?? "") dev #\(index)")
        } catch { if !error.isNotFound { throw error } }
    }

    /// `ip -4 addr show`, or `ip -6`
    package mutating func addresses(_ family: IPFamily = .ipv4) throws(NetlinkError) -> [(
        address: IPAddress, prefixLength: Int, device: Int32
    )] {
        var found: [(IPAddress, Int, Int32)] = []
        var request = ifaddrmsg()
        request.ifa_family = UInt8(family.number)
        try run(NetlinkMessage(RTM_GETADDR, NLM_F_DUMP, request), { "ip \(family.option) addr show" }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let info = payload.load(as: ifaddrmsg.self)
            let size = MemoryLayout<ifaddrmsg>.size
            forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
                // IPv6 tells an address that has no peer as IFA_ADDRESS alone. (rtnetlink(7))
                guard type == UInt32(family == .ipv4 ? IFA_LOCAL : IFA_ADDRESS), let address = IPAddress(bytes: value) else { return }
                found.append((address, Int(info.ifa_prefixlen), Int32(info.ifa_index)))
            }
        }
        return found
    }

    /// `ip -4 route show table main`, or `ip -6`: destinations, the devices they go out of, and the gateways they go by.
    /// Those of a black hole go out of none, 0.
    package mutating func routes(_ family: IPFamily = .ipv4) throws(NetlinkError) -> [(
        destination: IPNetwork, device: Int32, gateway: IPAddress?
    )] {
        var found: [(IPNetwork, Int32, IPAddress?)] = []
        var request = rtmsg()
        request.rtm_family = UInt8(family.number)
        try run(NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP, request), { "ip \(family.option) route show" }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let info = payload.load(as: rtmsg.self)
            guard info.rtm_table == RT_TABLE_MAIN.rawValue, [RTN_UNICAST, RTN_BLACKHOLE].contains(Int(info.rtm_type)) else { return }
            var destination = IPAddress.unspecified(family)
            var device: Int32 = 0
            var gateway: IPAddress?
            var hops: [(device: Int32, gateway: IPAddress?)] = []
            let size = MemoryLayout<rtmsg>.size
            forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
                if type == RTA_DST.rawValue { destination = IPAddress(bytes: value) ?? destination }
                if type == RTA_GATEWAY.rawValue { gateway = IPAddress(bytes: value) }
                if type == RTA_OIF.rawValue { device = value.loadUnaligned(as: Int32.self) }
                if type == RTA_MULTIPATH.rawValue { hops = Self.hops(value) }
            }
            let place = IPNetwork(destination, Int(info.rtm_dst_len))
            if hops.isEmpty { found.append((place, device, gateway)) }
            for hop in hops { found.append((place, hop.device, hop.gateway)) }
        }
        return found
    }

    /// The ways of a route that has several, as IPv6's to one place become. (rtnetlink(7), RTA_MULTIPATH)
    private static func hops(_ value: UnsafeRawBufferPointer) -> [(device: Int32, gateway: IPAddress?)] {
        var hops: [(Int32, IPAddress?)] = []
        let size = MemoryLayout<rtnexthop>.size
        var rest = value[...]
        while rest.count >= size {
            let hop = UnsafeRawBufferPointer(rebasing: rest).loadUnaligned(as: rtnexthop.self), length = Int(hop.rtnh_len)
            guard length >= size, length <= rest.count, let start = value.baseAddress.map({ $0 + rest.startIndex + size }) else { break }
            var gateway: IPAddress?
            forEachAttribute(UnsafeMutableRawPointer(mutating: start), length - size) { type, value in
                if type == RTA_GATEWAY.rawValue { gateway = IPAddress(bytes: value) }
            }
            hops.append((hop.rtnh_ifindex, gateway))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return hops
    }

    private static func route(_ destination: IPNetwork, gateway: IPAddress?, onlink: Bool) -> rtmsg {
        var info = rtmsg()
        info.rtm_family = UInt8(destination.family.number)
        info.rtm_dst_len = UInt8(destination.prefixLength)
        info.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        info.rtm_protocol = UInt8(RTPROT_STATIC)
        info.rtm_scope = UInt8(gateway == nil ? RT_SCOPE_LINK.rawValue : RT_SCOPE_UNIVERSE.rawValue)
        info.rtm_type = UInt8(RTN_UNICAST)
        if onlink { info.rtm_flags = UInt32(RTNH_F_ONLINK) }
        return info
    }

    private static func fill(
        _ message: borrowing NetlinkMessage, _ destination: IPNetwork, _ gateway: IPAddress?, _ index: Int32, _ source: IPAddress?
    ) {
        if destination.prefixLength > 0 { message.put(RTA_DST.rawValue, destination.network.bytes) }
        if let gateway { message.put(RTA_GATEWAY.rawValue, gateway.bytes) }
        if let source { message.put(RTA_PREFSRC.rawValue, source.bytes) }
        message.put(RTA_OIF.rawValue, u32: UInt32(index))
    }
}

extension IPFamily {
    /// The option by which ip(8) chooses the family.
    var option: String { self == .ipv4 ? "-4" : "-6" }
}
