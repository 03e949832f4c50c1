import Rules

/// Makes a table of the kernel hold a ruleset, whatever it holds now.
///
/// What is there is read once and corrected, so that a daemon that comes back touches nothing that is right already. What
/// cannot be corrected is replaced whole, in one transaction.
package struct TableSync {
    private let table: TableID
    private let target: any RulesetTarget

    package init(table: TableID, target: any RulesetTarget) {
        self.table = table
        self.target = target
    }

    /// nil: the table goes.
    package func apply(_ wanted: Ruleset?) async throws {
        let found = try await target.read(table)
        guard let wanted else {
            if found != nil { try await target.apply([.deleteTable], table: table) }
            return
        }
        if let found, try await correct(found, to: wanted) { return }
        try await target.apply([.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), wanted), table: table)
    }

    /// Turns what the kernel holds into `wanted`; false when there is no way but to replace it.
    private func correct(_ found: Ruleset, to wanted: Ruleset) async throws -> Bool {
        guard found.canBecome(wanted) else { return false }
        let changes = Ruleset.diff(found, wanted.asKept)
        if changes.isEmpty { return true }
        do { try await target.apply(changes, table: table) } catch { return false }
        return true
    }
}
