import Rules

/// A table in the kernel and what we last put there: a change is the difference.
package struct TableSync {
    let table: String
    private let target: any RulesetTarget
    /// nil until the first sync, and again after a failure.
    private var applied: Ruleset?

    package init(table: String, target: any RulesetTarget) {
        self.table = table
        self.target = target
    }

    /// Makes the table hold `wanted`.
    ///
    /// What was put there last is compared with; when that is not known, what the kernel holds is read once and corrected, so
    /// that a daemon that comes back touches nothing that is right already. What cannot be corrected is replaced whole, in
    /// one transaction.
    package mutating func apply(_ wanted: Ruleset) async throws {
        if let known = applied {
            applied = nil
            do {
                try await target.apply(Ruleset.diff(known, wanted), table: table)
                applied = wanted
                return
            } catch is CancellationError { throw CancellationError() } catch {}  // somebody changed the table: look again
        }
        if try await !correct(to: wanted) {
            try await target.apply([.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), wanted), table: table)
        }
        applied = wanted
    }

    /// Turns what the kernel holds into `wanted`; false when there is no way but to replace it.
    private func correct(to wanted: Ruleset) async throws -> Bool {
        guard let found = try await target.read(table), found.canBecome(wanted) else { return false }
        do { try await target.apply(Ruleset.diff(found, wanted.asKept), table: table) } catch { return false }
        return true
    }
}
