import CMnl
import CNftnl
import Glibc
import Model
import Rules

/// What the kernel tells of a packet that a rule has marked with `meta nftrace set 1`. `nft monitor trace`
package struct TraceEvent: Sendable, Hashable {
    /// The same for everything about one packet in one namespace.
    package let packet: UInt32
    package let table: TableID
    package let chain: String
    /// nil for a chain's policy.
    package let ruleHandle: UInt64?
    /// accept, drop, jump ..., continue
    package let verdict: String
    /// The packet as it is now; only the first event of each base chain tells it.
    package let datagram: Datagram?
    /// Where the packet leaves, on hooks that know.
    package let outputDevice: Int32?

    /// Where the packet is going now.
    package var destination: IPAddress? { datagram?.destination }

    package init(
        packet: UInt32, table: TableID, chain: String, ruleHandle: UInt64? = nil, verdict: String = "continue", datagram: Datagram? = nil,
        outputDevice: Int32? = nil
    ) {
        (self.packet, self.table, self.chain, self.ruleHandle) = (packet, table, chain, ruleHandle)
        (self.verdict, self.datagram, self.outputDevice) = (verdict, datagram, outputDevice)
    }
}

/// Hears the trace of one network namespace.
package struct TraceSocket: ~Copyable {
    private let events: NetfilterEvents

    package init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        events = try NetfilterEvents(NFNLGRP_NFTRACE, "nft monitor trace", in: namespace)
    }

    /// Everything that has been told so far.
    package borrowing func read() -> [TraceEvent] {
        var found: [TraceEvent] = []
        events.read { header in
            if Int32(header.pointee.nlmsg_type) == Int32(NFNL_SUBSYS_NFTABLES) << 8 | Int32(NFT_MSG_TRACE.rawValue),
                let event = TraceEvent(header)
            {
                found.append(event)
            }
        }
        return found
    }
}

extension TraceEvent {
    fileprivate init?(_ header: UnsafePointer<nlmsghdr>) {
        guard let trace = nftnl_trace_alloc() else { return nil }
        defer { nftnl_trace_free(trace) }
        guard nftnl_trace_nlmsg_parse(header, trace) == 0, let table = nftnl_trace_get_str(trace, UInt16(NFTNL_TRACE_TABLE)),
            let chain = nftnl_trace_get_str(trace, UInt16(NFTNL_TRACE_CHAIN))
        else { return nil }
        guard let family = TableFamily(number: nftnl_trace_get_u32(trace, UInt16(NFTNL_TRACE_FAMILY))) else { return nil }
        self.table = TableID(family, String(cString: table))
        self.chain = String(cString: chain)
        packet = nftnl_trace_get_u32(trace, UInt16(NFTNL_TRACE_ID))
        ruleHandle =
            nftnl_trace_is_set(trace, UInt16(NFTNL_TRACE_RULE_HANDLE)) ? nftnl_trace_get_u64(trace, UInt16(NFTNL_TRACE_RULE_HANDLE)) : nil
        let isPolicy = nftnl_trace_get_u32(trace, UInt16(NFTNL_TRACE_TYPE)) == NFT_TRACETYPE_POLICY.rawValue
        let code = Int32(bitPattern: nftnl_trace_get_u32(trace, UInt16(isPolicy ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT)))
        let target =
            nftnl_trace_is_set(trace, UInt16(NFTNL_TRACE_JUMP_TARGET)) ? nftnl_trace_get_str(trace, UInt16(NFTNL_TRACE_JUMP_TARGET)) : nil
        switch code {
        case NF_ACCEPT: verdict = "accept"
        case NF_DROP: verdict = "drop"
        case NFT_RETURN.rawValue: verdict = "return"
        case NFT_JUMP.rawValue: verdict = "jump \(target.map { String(cString: $0) } ?? "")"
        case NFT_GOTO.rawValue: verdict = "goto \(target.map { String(cString: $0) } ?? "")"
        default: verdict = "continue"
        }
        func bytes(_ attribute: nftnl_trace_attr) -> [UInt8]? {
            var length: UInt32 = 0
            guard nftnl_trace_is_set(trace, UInt16(attribute.rawValue)),
                let start = nftnl_trace_get_data(trace, UInt16(attribute.rawValue), &length)
            else { return nil }
            return Array(UnsafeRawBufferPointer(start: start, count: Int(length)))
        }
        outputDevice =
            nftnl_trace_is_set(trace, UInt16(NFTNL_TRACE_OIF.rawValue))
            ? Int32(bitPattern: nftnl_trace_get_u32(trace, UInt16(NFTNL_TRACE_OIF.rawValue))) : nil
        let body = bytes(NFTNL_TRACE_TRANSPORT_HEADER) ?? []
        datagram = bytes(NFTNL_TRACE_NETWORK_HEADER).flatMap { Datagram(header: $0, body: body) }
    }
}
