import CMnl
import Glibc
import Model

/// What a network namespace would do with a packet: the route that the kernel chose.
package struct RouteAnswer: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable { case unicast, local, broadcast, blackhole, unreachable, prohibit, multicast }

    package let kind: Kind
    /// The destination of the route itself, not the one that was asked for.
    package let destination: IPNetwork
    package let gateway: IPAddress?
    /// 0 where it goes out of none.
    package let device: Int32

    package init(kind: Kind = .unicast, destination: IPNetwork, gateway: IPAddress? = nil, device: Int32 = 0) {
        (self.kind, self.destination, self.gateway, self.device) = (kind, destination, gateway, device)
    }

    /// As `ip route` shows it.
    package func text(device name: String?) -> String {
        let words = [
            kind == .unicast ? nil : kind.rawValue, destination.prefixLength == 0 ? "default" : "\(destination)",
            gateway.map { "via \($0)" }, name.map { "dev \($0)" },
        ]
        return words.compactMap(\.self).joined(separator: " ")
    }
}

extension NetlinkSocket {
    /// `ip route get ADDRESS fibmatch`; nil where there is no route.
    package mutating func route(to address: IPAddress) throws(NetlinkError) -> RouteAnswer? {
        var info = rtmsg()
        info.rtm_family = UInt8(address.family.number)
        info.rtm_dst_len = UInt8(address.family.bits)
        let fibMatch: UInt32 = 0x2000  // RTM_F_FIB_MATCH
        info.rtm_flags = fibMatch
        let message = NetlinkMessage(RTM_GETROUTE, NLM_F_ACK, info)
        message.put(RTA_DST.rawValue, address.bytes)
        var found: RouteAnswer?
        do {
            try run(message, { "ip route get \(address) fibmatch" }) { header in
                if header.pointee.nlmsg_type == UInt16(RTM_NEWROUTE) { found = RouteAnswer(header, address.family) }
            }
        } catch {
            // What a black hole and its kin say, and what no route says.
            if [ENETUNREACH, EHOSTUNREACH, EINVAL, EACCES].contains(error.errno) { return found }
            throw error
        }
        return found
    }
}

extension RouteAnswer {
    fileprivate init?(_ header: UnsafePointer<nlmsghdr>, _ family: IPFamily) {
        guard let payload = mnl_nlmsg_get_payload(header) else { return nil }
        let info = payload.load(as: rtmsg.self), size = MemoryLayout<rtmsg>.size
        let kinds: [Int: Kind] = [
            RTN_UNICAST: .unicast, RTN_LOCAL: .local, RTN_BROADCAST: .broadcast, RTN_BLACKHOLE: .blackhole,
            RTN_UNREACHABLE: .unreachable, RTN_PROHIBIT: .prohibit, RTN_MULTICAST: .multicast,
        ]
        guard let kind = kinds[Int(info.rtm_type)] else { return nil }
        var destination = IPAddress.unspecified(family), gateway: IPAddress?, device: Int32 = 0
        forEachAttribute(payload + size, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size) { type, value in
            if type == RTA_DST.rawValue { destination = IPAddress(bytes: value) ?? destination }
            if type == RTA_GATEWAY.rawValue { gateway = IPAddress(bytes: value) }
            if type == RTA_OIF.rawValue { device = value.loadUnaligned(as: Int32.self) }
        }
        self.init(kind: kind, destination: IPNetwork(destination, Int(info.rtm_dst_len)), gateway: gateway, device: device)
    }
}
