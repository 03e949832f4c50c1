import Model
import Rules
import Synchronization

/// Keeps one nftables table of one node in step with its parts, and is the only one who writes to it.
///
/// Feeders say what each part of the table should hold (`set`); the keeper compares only the parts that changed, sends what differs in one
/// transaction, and sends it again by the clock when the kernel refused. What the kernel holds is known from what was sent. Before the
/// first transaction, after one that failed, and whenever `repair` is called, the table is read back and corrected, so that what is right
/// already is not touched.
package actor TableKeeper<Part: Hashable & Sendable> {
    package nonisolated let table: TableID
    /// What stands in the table besides its parts.
    private let base: Ruleset
    /// A table without parts is no table.
    private let isOptional: Bool
    private let target: any RulesetTarget
    private let clock: any Clock<Duration>
    private let pace: TablePace
    private let report: @Sendable (String) -> Void
    /// Told which parts the kernel holds anew, after each transaction.
    private let synced: @Sendable (Set<Part>) -> Void

    private var wanted: [Part: Ruleset] = [:]
    /// The sets that parts declare: others may add elements to them.
    private var declared: [String: NamedSet] = [:]
    /// What of the parts that are not as the kernel has them it has instead, while `isInStep`: the rest is there once.
    private var superseded: [Part: Superseded] = [:]
    private enum Superseded {
        case whole(Ruleset)
        /// Of the same names: as the kernel has them, and as they are wanted.
        case patch(RulesetPatch, after: RulesetPatch)
    }
    /// False when only a look can tell what the kernel holds.
    private var isInStep = false
    /// What was to be told to be in the kernel, and was refused.
    private var untold: Set<Part> = []
    private let turn = Turnstile()
    private let wake = Mutex<AsyncStream<Void>.Continuation?>(nil)

    package init(
        table: TableID, base: Ruleset, isOptional: Bool = false, target: any RulesetTarget, clock: any Clock<Duration> = ContinuousClock(),
        pace: TablePace = .prompt, report: @escaping @Sendable (String) -> Void, synced: @escaping @Sendable (Set<Part>) -> Void = { _ in }
    ) {
        self.table = table
        self.base = base
        self.isOptional = isOptional
        self.target = target
        self.clock = clock
        self.pace = pace
        self.report = report
        self.synced = synced
    }

    /// Says what parts of the table should hold; an empty part is none. `run` brings them into the kernel.
    package func set(_ parts: [Part: Ruleset]) { set(parts.mapValues(PartChange.whole)) }

    /// Says what becomes of parts. A patch costs what it says, however large its part is.
    package func set(_ changes: [Part: PartChange]) {
        for (part, change) in changes {
            switch change {
            case .whole(let rules): replace(part, rules)
            case .patch(let patch): self.patch(part, patch)
            }
        }
        if !superseded.isEmpty { remind() }
    }

    /// Says that there is something to do for `run`: its feeder has parts.
    package nonisolated func remind() { wake.withLock { _ = $0?.yield() } }

    private func replace(_ part: Part, _ rules: Ruleset) {
        guard (wanted[part] ?? Ruleset()) != rules else { return }
        switch superseded[part] {
        case .whole: break
        case nil: superseded[part] = .whole(wanted[part] ?? Ruleset())
        case .patch(let before, _):
            var held = wanted[part] ?? Ruleset()
            held.apply(before)
            superseded[part] = .whole(held)
        }
        wanted[part] = rules.isEmpty ? nil : rules
        declared.merge(rules.sets) { _, new in new }
    }

    private func patch(_ part: Part, _ patch: RulesetPatch) {
        if patch.isEmpty { return }
        let back = wanted[part, default: Ruleset()].apply(patch)
        if wanted[part]?.isEmpty ?? false { wanted[part] = nil }
        switch superseded.removeValue(forKey: part) {
        case .whole(let held): superseded[part] = .whole(held)
        case nil: superseded[part] = .patch(back, after: patch)
        case .patch(var before, var after):
            before.merge(back, keepsOwn: true)
            after.merge(patch, keepsOwn: false)
            superseded[part] = .patch(before, after: after)
        }
    }

    /// The kernel holds all that has been set.
    package var isInStepWithAll: Bool { isInStep && superseded.isEmpty }

    /// As much of the table as some of its parts are, with what stands in it besides.
    package func excerpt(_ parts: some Sequence<Part>) -> Ruleset {
        var excerpt = base
        for part in parts { if let rules = wanted[part] { excerpt.merge(rules) } }
        return excerpt
    }

    /// The table as it should be.
    package var ruleset: Ruleset { whole(wanted) ?? Ruleset() }

    // MARK: Following

    /// Brings what is set into the kernel until cancelled, again after a wait when the kernel refused. `ready` is called when the table is
    /// in step for the first time. `feed` is asked before each transaction what else parts should hold by now: who has much to say gathers
    /// it until then, and reminds of it.
    package func run(feeding feed: () async -> [Part: Ruleset] = { [:] }, ready: @Sendable () -> Void = {}) async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wake.withLock { $0 = wake }
        wake.yield()
        var next = wakes.makeAsyncIterator(), pace = pace, wait = TableKeeperWait.first, isReady = false
        while true {
            let idle = try await clock.measure { if await next.next(isolation: #isolation) == nil { throw CancellationError() } }
            var rest = wait
            do {
                let took = try await clock.measure {
                    for (part, rules) in await feed() { replace(part, rules) }
                    try await sync()
                }
                if !isReady { ready() }
                (isReady, wait) = (true, TableKeeperWait.first)
                rest = pace.rest(after: took, idle: idle)
            } catch {
                report("table \(table) is not in step, next try in \(wait): \(error)")
                wait = min(wait * 2, TableKeeperWait.longest)
                wake.yield()
            }
            if rest > .zero { try await clock.sleep(for: rest) }
        }
    }

    /// Returns when the kernel holds at least what has been set until now. One at a time; whoever waited finds its change made by others.
    package func sync() async throws {
        let changed = try await turn.withTurn {
            if isInStep, superseded.isEmpty { return Set<Part>() }
            guard isInStep, let changes = changes() else { return try await mend() }
            untold.formUnion(superseded.keys)
            (superseded, isInStep) = ([:], false)
            do { if !changes.isEmpty { try await target.apply(changes, table: table) } } catch {
                report("table \(table): a change was refused, reading the table back: \(error)")
                return try await mend()
            }
            isInStep = true
            return take()
        }
        if !changed.isEmpty { synced(changed) }
    }

    private func take() -> Set<Part> {
        defer { untold = [] }
        return untold
    }

    // MARK: Repair

    /// How the kernel's table differs from what it was last given; nil when it does not. Changes nothing.
    package func check() async throws -> TableDifference? {
        try await turn.withTurn { try await compare() }
    }

    /// Looks whether the kernel's table still holds what it was given, and corrects it. What was found wrong; nil when nothing was.
    package func repair() async throws -> TableDifference? {
        let (difference, changed) = try await turn.withTurn {
            let difference = try await compare()
            return (difference, difference == nil ? [] : try await mend())
        }
        if difference != nil { synced(changed) }
        return difference
    }

    private func compare() async throws -> TableDifference? {
        // Until the first transaction nobody knows what should be there.
        guard isInStep else { return nil }
        return TableDifference(table: table, found: try await target.read(table), wanted: whole(held)?.asKept)
    }

    /// What the kernel holds, part by part, while `isInStep`.
    private var held: [Part: Ruleset] {
        var held = wanted
        for (part, before) in superseded {
            switch before {
            case .whole(let rules): held[part] = rules.isEmpty ? nil : rules
            case .patch(let before, _): held[part, default: Ruleset()].apply(before)
            }
            if held[part]?.isEmpty ?? false { held[part] = nil }
        }
        return held
    }

    // MARK: Whole and parts

    private func whole(_ parts: [Part: Ruleset]) -> Ruleset? {
        if isOptional, parts.isEmpty { return nil }
        var whole = base
        for rules in parts.values { whole.merge(rules) }
        return whole
    }

    /// What turns what the kernel has of the changed parts into what is wanted; nil when the table itself has to come or go.
    private func changes() -> [Change]? {
        if isOptional, wanted.isEmpty || held.isEmpty { return nil }
        var old = Ruleset(), new = Ruleset(), declared = declared.merging(base.sets) { $1 }
        var patches: [(before: RulesetPatch, after: RulesetPatch)] = []
        for (part, before) in superseded {
            switch before {
            case .whole(let rules):
                old.merge(rules)
                if let rules = wanted[part] { new.merge(rules) }
            case .patch(let before, let after):
                patches.append((before, after))
                if let sets = wanted[part]?.sets { for set in after.elements.keys where declared[set] == nil { declared[set] = sets[set] } }
            }
        }
        return Ruleset.diff(old, new, patches: patches, declared: declared)
    }

    /// Makes the kernel hold what is wanted, whatever it holds; the parts that it did not hold before, as far as known.
    private func mend() async throws -> Set<Part> {
        untold.formUnion(wanted.keys)
        untold.formUnion(superseded.keys)
        (superseded, isInStep) = ([:], false)
        try await TableSync(table: table, target: target).apply(whole(wanted))
        isInStep = true
        return take()
    }
}

private enum TableKeeperWait {
    static let first = Duration.seconds(1), longest = Duration.seconds(15)
}

/// A table that can be held against the kernel, whatever its parts are.
package protocol RepairableTable: Sendable {
    var table: TableID { get }
    func repair() async throws -> TableDifference?
}

extension TableKeeper: RepairableTable {}
