import Model
import Rules

/// Cuts overlapping boxes of addresses x protocols x ports into disjoint ones, as an interval set or map wants them.
enum AddressSweep {
    typealias Span = AllowedTraffic.Span

    /// Sweeps the addresses from below: at each the boxes that begin come in and those that have ended go. `slab` says what the boxes that
    /// cover one address, in their order, amount to there. Neighbours with the same slab are one.
    static func elements<Box, Data: Equatable>(
        _ boxes: [Box], _ addresses: (Box) -> ClosedRange<IPv4Address>, slab: ([Box]) -> [Span: Data]
    ) -> [[Value]: Data] {
        let edges = boxes.map(addresses)
        let starts = edges.indices.sorted { edges[$0].lowerBound < edges[$1].lowerBound }
        let ends = edges.indices.sorted { edges[$0].upperBound < edges[$1].upperBound }
        let cuts = Set(edges.flatMap { [Int($0.lowerBound.value), Int($0.upperBound.value) + 1] }).sorted()
        var result: [[Value]: Data] = [:]
        var pending: (range: ClosedRange<IPv4Address>, slab: [Span: Data])?
        func flush() {
            guard let (range, slab) = pending else { return }
            for (span, data) in slab { result[[.addresses(range), .transportProtocols(span.protocols), .ports(span.ports)]] = data }
        }
        var covering: Set<Int> = [], started = 0, ended = 0
        for (start, end) in zip(cuts, cuts.dropFirst()) {
            while ended < ends.count, Int(edges[ends[ended]].upperBound.value) < start {
                covering.remove(ends[ended])
                ended += 1
            }
            while started < starts.count, Int(edges[starts[started]].lowerBound.value) <= start {
                covering.insert(starts[started])
                started += 1
            }
            let range = IPv4Address(UInt32(start))...IPv4Address(UInt32(end - 1)), slab = slab(covering.sorted().map { boxes[$0] })
            if let last = pending, last.slab == slab, Int(last.range.upperBound.value) + 1 == start {
                pending?.range = last.range.lowerBound...range.upperBound
            } else {
                flush()
                pending = slab.isEmpty ? nil : (range, slab)
            }
        }
        flush()
        return result
    }
}
