/// Indexes of an Indexed Job, written as `1,3-5,7`: the intervals of `status.completedIndexes`, `status.failedIndexes` and
/// `successPolicy`. (k8s.io/api/batch/v1, JobStatus; KEP-2214)
package struct CompletionIndexes: Hashable, Sendable, CustomStringConvertible {
    private var intervals: RangeSet<Int>

    package struct Invalid: Error, CustomStringConvertible { package let description: String }

    package init(_ indexes: some Sequence<Int> = []) {
        intervals = RangeSet(indexes.map { $0..<$0 + 1 })
    }

    /// Of what a status says: whatever is no interval, or beyond the last index, is left out.
    package init(_ text: String, completions: Int) {
        intervals = RangeSet(
            text.split(separator: ",").compactMap { part in
                let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
                guard let first = ends.first ?? nil, let last = ends.last ?? nil, 0 <= first, first <= last, first < completions else {
                    return nil
                }
                return first..<min(last, completions - 1) + 1
            })
    }

    /// Of what a user says, who is told what is wrong. (k8s.io/kubernetes/pkg/apis/batch/validation, validateIndexesFormat, in its words)
    package init(validating text: String, completions: Int) throws(Invalid) {
        intervals = RangeSet()
        var last: Int?
        guard !text.isEmpty else { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2 else {
                throw Invalid(
                    description:
                        "the fragment \"\(part)\" violates the requirement that an index interval can have at most two parts separated by '-'"
                )
            }
            var numbers: [Int] = []
            for end in ends {
                guard let number = Int(end), number >= 0 else {
                    throw Invalid(description: "cannot convert string to integer for index: \"\(end)\"")
                }
                guard number < completions else { throw Invalid(description: "too large index: \"\(end)\"") }
                numbers.append(number)
            }
            let low = numbers[0], high = numbers[numbers.count - 1]
            if numbers.count == 2, low >= high { throw Invalid(description: "non-increasing order, previous: \(low), current: \(high)") }
            if let last, last >= low { throw Invalid(description: "non-increasing order, previous: \(last), current: \(low)") }
            intervals.insert(contentsOf: low..<high + 1)
            last = high
        }
    }

    package var count: Int { intervals.ranges.reduce(0) { $0 + $1.count } }
    package var isEmpty: Bool { intervals.isEmpty }

    package func contains(_ index: Int) -> Bool { intervals.contains(index) }
    package mutating func insert(_ index: Int) { intervals.insert(contentsOf: index..<index + 1) }

    package func union(_ other: CompletionIndexes) -> CompletionIndexes { with(intervals.union(other.intervals)) }
    package func intersection(_ other: CompletionIndexes) -> CompletionIndexes { with(intervals.intersection(other.intervals)) }

    private func with(_ intervals: RangeSet<Int>) -> CompletionIndexes {
        var copy = self
        copy.intervals = intervals
        return copy
    }

    /// The first `count` indexes below `completions` that are not among these.
    package func missing(_ count: Int, completions: Int) -> [Int] {
        guard completions > 0, count > 0 else { return [] }
        return Array(RangeSet(0..<completions).subtracting(intervals).ranges.lazy.joined().prefix(count))
    }

    /// Two neighbours are two numbers, three are an interval.
    package var description: String {
        intervals.ranges.map { range in
            let last = range.upperBound - 1
            return switch range.count {
            case 1: "\(last)"
            case 2: "\(range.lowerBound),\(last)"
            default: "\(range.lowerBound)-\(last)"
            }
        }.joined(separator: ",")
    }
}
