import Model
import Rules

/// Cuts overlapping boxes of addresses x protocols x ports into disjoint ones, as an interval set or map wants them.
enum AddressSweep {
    typealias Span = AllowedTraffic.Span

    /// Sweeps the addresses from below: at each the boxes that begin come in and those that have ended go. `slab` says what the boxes that
    /// cover one address, in their order, amount to there. Neighbours with the same slab are one. Each element begins with `key`.
    static func elements<Box, Data: Equatable>(
        of key: Value, _ boxes: [Box], _ addresses: (Box) -> ClosedRange<IPAddress>, slab: ([Box]) -> [Span: Data]
    ) -> [[Value]: Data] {
        let edges = boxes.map(addresses)
        let starts = edges.indices.sorted { edges[$0].lowerBound < edges[$1].lowerBound }
        let ends = edges.indices.sorted { edges[$0].upperBound < edges[$1].upperBound }
        let firsts = Set(edges.map(\.lowerBound)).sorted(), lasts = Set(edges.map(\.upperBound)).sorted()
        var result: [[Value]: Data] = [:]
        var pending: (range: ClosedRange<IPAddress>, slab: [Span: Data])?
        func flush() {
            guard let (range, slab) = pending else { return }
            for (span, data) in slab { result[[key, .addresses(range), .transportProtocols(span.protocols), .ports(span.ports)]] = data }
        }
        var covering: Set<Int> = [], started = 0, ended = 0
        for range in pieces(firsts, lasts) {
            while ended < ends.count, edges[ends[ended]].upperBound < range.lowerBound {
                covering.remove(ends[ended])
                ended += 1
            }
            while started < starts.count, edges[starts[started]].lowerBound <= range.lowerBound {
                covering.insert(starts[started])
                started += 1
            }
            let slab = slab(covering.sorted().map { boxes[$0] })
            if let last = pending, last.slab == slab, last.range.upperBound + 1 == range.lowerBound {
                pending?.range = last.range.lowerBound...range.upperBound
            } else {
                flush()
                pending = slab.isEmpty ? nil : (range, slab)
            }
        }
        flush()
        return result
    }

    /// What lies between the first address of all and the last, cut before each of `firsts` and after each of `lasts`; both in order.
    private static func pieces(_ firsts: [IPAddress], _ lasts: [IPAddress]) -> [ClosedRange<IPAddress>] {
        guard var start = firsts.first else { return [] }
        var result: [ClosedRange<IPAddress>] = [], nextFirst = 1
        for last in lasts {
            while nextFirst < firsts.count, firsts[nextFirst] <= last {
                // Nothing of it is left when a box has just ended.
                if firsts[nextFirst] > start { result.append(start...(firsts[nextFirst] + -1)) }
                start = max(start, firsts[nextFirst])
                nextFirst += 1
            }
            result.append(start...last)
            if last < (lasts.last ?? last) { start = last + 1 }
        }
        return result
    }
}
