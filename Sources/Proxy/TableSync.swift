import Rules

/// A table in the kernel and what we last put there: a change is the difference.
struct TableSync {
    let table: String
    private let target: any RulesetTarget
    /// nil until the first sync, and again after a failure: then the table is replaced whole, in one transaction.
    private var applied: Ruleset?

    init(table: String, target: any RulesetTarget) {
        self.table = table
        self.target = target
    }

    /// Makes the table hold `wanted`. The first time whatever stood there is replaced without a moment in between, so that
    /// a daemon that comes back takes over and established connections go on.
    mutating func apply(_ wanted: Ruleset) async throws {
        let changes =
            if let applied { Ruleset.diff(applied, wanted) } else {
                [Change.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), wanted)
            }
        applied = nil
        try await target.apply(changes, table: table)
        applied = wanted
    }

}
