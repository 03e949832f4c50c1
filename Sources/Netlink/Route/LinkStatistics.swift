import CMnl

/// What has gone through a link since it was made, as `ip -s link` counts it.
package struct LinkStatistics: Sendable, Hashable {
    /// One way.
    package struct Way: Sendable, Hashable {
        package var packets: UInt64
        package var bytes: UInt64
        package var errors: UInt64
        package var dropped: UInt64

        package init(packets: UInt64 = 0, bytes: UInt64 = 0, errors: UInt64 = 0, dropped: UInt64 = 0) {
            (self.packets, self.bytes, self.errors, self.dropped) = (packets, bytes, errors, dropped)
        }
    }

    package var received: Way
    package var sent: Way

    package init(received: Way = Way(), sent: Way = Way()) { (self.received, self.sent) = (received, sent) }

    /// IFLA_STATS64, a `struct rtnl_link_stats64`: kernels append to it, and its first eight fields are these. nil: too short to be one.
    init?(_ value: UnsafeRawBufferPointer) {
        let size = MemoryLayout<UInt64>.size
        guard value.count >= 8 * size else { return nil }
        func field(_ index: Int) -> UInt64 { value.loadUnaligned(fromByteOffset: index * size, as: UInt64.self) }
        received = Way(packets: field(0), bytes: field(2), errors: field(4), dropped: field(6))
        sent = Way(packets: field(1), bytes: field(3), errors: field(5), dropped: field(7))
    }
}
