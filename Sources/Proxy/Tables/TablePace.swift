/// How soon after one transaction the next may follow.
///
/// The kernel checks all that a table's rules lead to in each transaction, however little it says: with a thousand Services that is most of
/// what a change costs. What comes singly goes at once, and so do the few that belong together. Where one follows the other, they may take
/// a part of the time, and what comes meanwhile goes in one.
package struct TablePace: Sendable {
    /// Of the time that passes, transactions may take one of so many parts.
    private let parts: Int
    private let longest: Duration
    private static let free = Duration.milliseconds(50)

    /// What transactions have taken beyond their part of the time that has passed.
    private var debt = Duration.zero

    private init(parts: Int, longest: Duration) {
        self.parts = parts
        self.longest = longest
    }

    /// For what somebody waits for.
    package static let prompt = TablePace(parts: 8, longest: .milliseconds(250))
    /// For what comes in great numbers: kube-proxy keeps a second between its own, too (`minSyncPeriod`).
    package static let gathering = TablePace(parts: 32, longest: .seconds(1))

    /// How long to wait after a transaction that took `took`, before which nothing happened for `idle`.
    mutating func rest(after took: Duration, idle: Duration) -> Duration {
        // Who has been away for long, as at the start, owes no more than one rest.
        debt = min(max(.zero, debt - idle / parts) + took, Self.free + longest / parts)
        let rest = min((debt - Self.free) * parts, longest)
        guard rest >= .milliseconds(1) else { return .zero }
        debt -= rest / parts
        return rest
    }
}
