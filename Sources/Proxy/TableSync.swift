import Rules

/// Makes a table of the kernel hold a ruleset, whatever it holds now.
///
/// What is there is read once and corrected, so that a daemon that comes back touches nothing that is right already. What
/// cannot be corrected is replaced whole, in one transaction.
package struct TableSync {
    let table: String
    private let target: any RulesetTarget

    package init(table: String, target: any RulesetTarget) {
        self.table = table
        self.target = target
    }

    package func apply(_ wanted: Ruleset) async throws {
        if try await correct(to: wanted) { return }
        try await target.apply([.addTable, .deleteTable, .addTable] + Ruleset.diff(Ruleset(), wanted), table: table)
    }

    /// Turns what the kernel holds into `wanted`; false when there is no way but to replace it.
    private func correct(to wanted: Ruleset) async throws -> Bool {
        guard let found = try await target.read(table), found.canBecome(wanted) else { return false }
        do { try await target.apply(Ruleset.diff(found, wanted.asKept), table: table) } catch { return false }
        return true
    }
}
