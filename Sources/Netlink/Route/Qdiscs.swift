import CMnl
import Glibc

extension NetlinkSocket {
    private static func place(_ index: Int32, parent: UInt32 = UInt32.max) -> tcmsg {
        // TC_H_ROOT is all ones.
        var place = tcmsg()
        (place.tcm_family, place.tcm_ifindex, place.tcm_parent) = (UInt8(AF_UNSPEC), index, parent)
        return place
    }

    /// The message by which `tc qdisc replace dev INDEX root ...` asks.
    package static func replacement(_ qdisc: Qdisc, dev index: Int32) -> NetlinkMessage {
        let message = NetlinkMessage(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, place(index))
        message.put(TCA_KIND, qdisc.kind)
        message.put(TCA_OPTIONS, qdisc.options)
        return message
    }

    /// `tc qdisc replace dev INDEX root KIND ...`
    package mutating func setRootQdisc(_ qdisc: Qdisc, dev index: Int32) throws(NetlinkError) {
        try execute(Self.replacement(qdisc, dev: index), "tc qdisc replace dev #\(index) root \(qdisc.kind)")
    }

    /// `tc qdisc del dev INDEX root`; a device that has its first one still is no error.
    package mutating func deleteRootQdisc(dev index: Int32) throws(NetlinkError) {
        let message = NetlinkMessage(RTM_DELQDISC, NLM_F_ACK, Self.place(index))
        do { try execute(message, "tc qdisc del dev #\(index) root") } catch  where error.errno == ENOENT || error.errno == EINVAL {}
    }

    /// `tc qdisc show dev INDEX root`; nil for the one that the kernel gives a device, which has no handle.
    package mutating func rootQdisc(dev index: Int32) throws(NetlinkError) -> Qdisc? {
        let message = NetlinkMessage(RTM_GETQDISC, NLM_F_DUMP, Self.place(index, parent: 0))
        var found: Qdisc?
        try run(message, { "tc qdisc show dev #\(index)" }) { header in
            guard let payload = mnl_nlmsg_get_payload(header) else { return }
            let place = payload.load(as: tcmsg.self), size = MemoryLayout<tcmsg>.size
            guard place.tcm_ifindex == index, place.tcm_parent == UInt32.max, place.tcm_handle != 0 else { return }
            var kind = "", qdisc: Qdisc?
            let length = Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - size
            forEachAttribute(payload + size, length) { type, value in
                if Int(type) == TCA_KIND { kind = String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
                // The kind is told first.
                guard Int(type) == TCA_OPTIONS else { return }
                if kind == "netem" { qdisc = Netem(options: value).map(Qdisc.netem) }
                if kind == "tbf" { qdisc = TokenBucket(options: value).map(Qdisc.tbf) }
            }
            found = qdisc ?? .other(kind)
        }
        return found
    }
}
