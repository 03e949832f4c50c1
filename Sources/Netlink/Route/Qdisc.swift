import CMnl
import Glibc

/// What decides when a device sends which of its packets: its root queueing discipline. (tc(8))
package enum Qdisc: Sendable, Hashable {
    case netem(Netem)
    case tbf(TokenBucket)
    /// One that nothing here makes.
    case other(String)

    package var kind: String {
        switch self {
        case .netem: "netem"
        case .tbf: "tbf"
        case .other(let kind): kind
        }
    }

    /// The payload of TCA_OPTIONS: a structure, and attributes after it.
    var options: [UInt8] {
        switch self {
        case .netem(let netem): netem.options
        case .tbf(let bucket): bucket.options
        case .other: []
        }
    }

    /// The kernel counts in ticks of 64 ns (PSCHED_SHIFT in net/pkt_sched.h; /proc/net/psched says so too).
    static func ticks(nanoseconds: Int) -> UInt32 { UInt32(clamping: nanoseconds / 64) }

    static func bytes<T: BitwiseCopyable>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    /// An attribute as it lies in a message: its header, its value, and up to four bytes' end.
    static func attribute(_ type: some BinaryInteger, _ value: [UInt8]) -> [UInt8] {
        let length = MemoryLayout<nlattr>.size + value.count
        return bytes(UInt16(length)) + bytes(UInt16(type)) + value + [UInt8](repeating: 0, count: (4 - length % 4) % 4)
    }
}

/// Delays, loses, damages and reorders packets. (tc-netem(8))
package struct Netem: Sendable, Hashable {
    /// In ticks.
    var latency: UInt32
    var jitter: UInt32
    /// Of 2^32 - 1.
    var loss: UInt32
    var corrupt: UInt32
    var reorder: UInt32
    /// Bytes a second; 0 is no limit.
    var rate: UInt32

    /// Times in microseconds, chances of a hundred, `rate` in bits a second.
    package init(delay: Int = 0, jitter: Int = 0, loss: Double = 0, corrupt: Double = 0, reorder: Double = 0, rate: Int? = nil) {
        latency = Qdisc.ticks(nanoseconds: delay * 1000)
        self.jitter = Qdisc.ticks(nanoseconds: jitter * 1000)
        (self.loss, self.corrupt, self.reorder) = (Self.chance(loss), Self.chance(corrupt), Self.chance(reorder))
        self.rate = UInt32(clamping: (rate ?? 0) / 8)
    }

    private static func chance(_ percentage: Double) -> UInt32 { UInt32((percentage / 100 * Double(UInt32.max)).rounded()) }

    /// As many packets as tc lets wait where nobody says otherwise.
    private static let limit: UInt32 = 1000

    var options: [UInt8] {
        // Of every packet some go at once: a gap of 1.
        let head = tc_netem_qopt(
            latency: latency, limit: Self.limit, loss: loss, gap: reorder == 0 ? 0 : 1, duplicate: 0, jitter: jitter)
        var bytes = Qdisc.bytes(head)
        if reorder != 0 { bytes += Qdisc.attribute(TCA_NETEM_REORDER, Qdisc.bytes(tc_netem_reorder(probability: reorder, correlation: 0))) }
        if corrupt != 0 { bytes += Qdisc.attribute(TCA_NETEM_CORRUPT, Qdisc.bytes(tc_netem_corrupt(probability: corrupt, correlation: 0))) }
        if rate != 0 {
            bytes += Qdisc.attribute(
                TCA_NETEM_RATE, Qdisc.bytes(tc_netem_rate(rate: rate, packet_overhead: 0, cell_size: 0, cell_overhead: 0)))
        }
        return bytes
    }

    init?(options: UnsafeRawBufferPointer) {
        let size = MemoryLayout<tc_netem_qopt>.size
        guard options.count >= size, let start = options.baseAddress else { return nil }
        let head = options.loadUnaligned(as: tc_netem_qopt.self)
        var netem = Netem()
        (netem.latency, netem.jitter, netem.loss) = (head.latency, head.jitter, head.loss)
        forEachAttribute(UnsafeMutableRawPointer(mutating: start) + size, options.count - size) { type, value in
            guard value.count >= 4 else { return }
            let first = value.loadUnaligned(as: UInt32.self)
            if Int(type) == TCA_NETEM_REORDER { netem.reorder = first }
            if Int(type) == TCA_NETEM_CORRUPT { netem.corrupt = first }
            if Int(type) == TCA_NETEM_RATE { netem.rate = first }
        }
        self = netem
    }
}

/// Sends no faster than a rate. (tc-tbf(8))
package struct TokenBucket: Sendable, Hashable {
    /// Bytes a second.
    var rate: UInt32
    /// Bytes that may go at once, and that may wait.
    var burst: UInt32
    var limit: UInt32

    /// The burst is left aside: the kernel tells it as a time, which is rounded.
    package static func == (one: TokenBucket, other: TokenBucket) -> Bool { one.rate == other.rate && one.limit == other.limit }
    package func hash(into hasher: inout Hasher) { hasher.combine([rate, limit]) }

    /// `rate` in bits a second. What a hundredth of a second brings may go at once, what half a second brings may wait.
    package init(rate: Int) {
        let bytes = rate / 8
        self.init(bytes: bytes, burst: max(bytes / 100, Self.frames), limit: bytes / 2 + max(bytes / 100, Self.frames))
    }

    init(bytes: Int, burst: Int, limit: Int) {
        (rate, self.burst, self.limit) = (UInt32(clamping: bytes), UInt32(clamping: burst), UInt32(clamping: limit))
    }

    /// Less than a few whole frames would let nothing through.
    private static let frames = 6400

    var options: [UInt8] {
        // The kernel reckons itself on an Ethernet link: the table of tc's old days stays away. (net/sched/sch_tbf.c, tbf_change)
        var speed = tc_ratespec()
        (speed.linklayer, speed.cell_align, speed.rate) = (UInt8(TC_LINKLAYER_ETHERNET.rawValue), -1, rate)
        let buffer = Qdisc.ticks(nanoseconds: Int(burst) * 1_000_000_000 / Int(max(rate, 1)))
        let head = tc_tbf_qopt(rate: speed, peakrate: tc_ratespec(), limit: limit, buffer: buffer, mtu: 0)
        return Qdisc.attribute(TCA_TBF_PARMS, Qdisc.bytes(head)) + Qdisc.attribute(TCA_TBF_BURST, Qdisc.bytes(burst))
    }

    init?(options: UnsafeRawBufferPointer) {
        guard let start = options.baseAddress else { return nil }
        var found: TokenBucket?
        forEachAttribute(UnsafeMutableRawPointer(mutating: start), options.count) { type, value in
            guard Int(type) == TCA_TBF_PARMS, value.count >= MemoryLayout<tc_tbf_qopt>.size else { return }
            let head = value.loadUnaligned(as: tc_tbf_qopt.self)
            // The burst comes back as a time.
            let burst = Int(head.buffer) * 64 * Int(head.rate.rate) / 1_000_000_000
            found = TokenBucket(bytes: Int(head.rate.rate), burst: burst, limit: Int(head.limit))
        }
        guard let found else { return nil }
        self = found
    }
}
