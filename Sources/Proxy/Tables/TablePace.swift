/// How soon after one transaction the next may follow.
///
/// The kernel checks all that a table's rules lead to in each transaction, however little it says: with a thousand Services that is most of
/// what a change costs. What comes singly goes at once, and so do the few that belong together. Where one follows the other, they may take
/// an eighth of the time, and what comes meanwhile goes in one. (kube-proxy keeps a second between its own, `minSyncPeriod`.)
struct TablePace {
    private static let parts = 8
    private static let free = Duration.milliseconds(50), longest = Duration.milliseconds(250)

    /// What transactions have taken beyond their part of the time that has passed.
    private var debt = Duration.zero

    /// How long to wait after a transaction that took `took`, before which nothing happened for `idle`.
    mutating func rest(after took: Duration, idle: Duration) -> Duration {
        // Who has been away for long, as at the start, owes no more than one rest.
        debt = min(max(.zero, debt - idle / Self.parts) + took, Self.free + Self.longest / Self.parts)
        let rest = min((debt - Self.free) * Self.parts, Self.longest)
        guard rest >= .milliseconds(1) else { return .zero }
        debt -= rest / Self.parts
        return rest
    }
}
