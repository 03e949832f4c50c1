import Model
import PolicyCases
import Proxy
import Rules
import Synchronization
import Testing

/// A kernel that refuses as often as it is told to, and that lets others run before it answers.
actor UnwillingTable: RulesetTarget {
    struct Refusal: Error {}

    let memory = MemoryTable()
    private(set) var applied: [[Change]] = []
    private(set) var reads = 0
    private var refusals = 0
    private var passing: @Sendable () -> Void = {}

    func refuse(_ count: Int) { refusals = count }
    /// Calls `passing` in each transaction: for the time that it takes.
    func take(_ passing: @escaping @Sendable () -> Void) { self.passing = passing }

    func read(_ table: TableID) async throws -> Ruleset? {
        reads += 1
        await Task.yield()
        return try await memory.read(table)
    }

    func apply(_ changes: [Change], table: TableID) async throws {
        for _ in 0..<3 { await Task.yield() }
        passing()
        if refusals > 0 {
            refusals -= 1
            throw Refusal()
        }
        try await memory.apply(changes, table: table)
        applied.append(changes)
    }
}

/// What was reported, for tests to look at.
final class Reports: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

@Suite("A table is kept in step with its parts")
struct TableKeeperTests {
    private let target = UnwillingTable(), clock = ManualClock(), reports = Reports()

    private static func base() -> Ruleset {
        var base = Ruleset()
        base.sets["ports"] = NamedSet(key: [.port], isVerdictMap: true)
        base.chains["input"] = Chain(hook: Hook(.filter, .input, 0), [Rule(.verdictMap([.destinationPort], "ports"))])
        return base
    }

    private static func part(_ port: UInt16, _ verdict: Verdict = .accept) -> Ruleset {
        var part = Ruleset()
        part.chains["port-\(port)"] = Chain([Rule(.counter, .verdict(verdict))])
        part.add([.port(port)], ElementData(verdict: .goto("port-\(port)")), to: "ports")
        return part
    }

    private static func whole(_ ports: UInt16...) -> Ruleset {
        var whole = base()
        for port in ports { whole.merge(part(port)) }
        return whole
    }

    private func keeper(isOptional: Bool = false) -> TableKeeper<String> {
        TableKeeper(
            table: TableID(.ip, "lab"), base: Self.base(), isOptional: isOptional, target: target, clock: clock,
            report: { [reports] in reports.add($0) })
    }

    /// Runs `body` while the keeper follows.
    private func following(_ keeper: TableKeeper<String>, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            try await body()
            group.cancelAll()
        }
    }

    @Test("only what changed is sent, in one transaction")
    func changes() async throws {
        let keeper = keeper()
        await keeper.set(["a": Self.part(1), "b": Self.part(2)])
        try await keeper.sync()
        #expect(await target.memory.rules == Self.whole(1, 2))
        await keeper.set(["a": Ruleset(), "c": Self.part(3), "b": Self.part(2)])
        try await keeper.sync()
        #expect(await target.memory.rules == Self.whole(2, 3))
        let texts = try #require(await target.applied.last).map { $0.text(table: TableID(.ip, "lab")) }
        #expect(!texts.contains { $0.contains("port-2") })
        let count = await target.applied.count
        try await keeper.sync()
        #expect(await target.applied.count == count)
    }

    @Test(
        "parts that are set whole and parts that are patched are in the kernel as they were last said, refused or not",
        arguments: [1, 2, 3] as [UInt64])
    func patches(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed), model: [String: Ruleset] = [:]
        let keeper = keeper()
        for step in 0..<300 {
            let name = random.pick(["a", "b", "c"]), first = UInt16(1000 * (1 + Int(name.utf8.first ?? 0) % 97))
            if random.chance(25) {
                var part = random.chance(70) ? Self.part(first) : Ruleset()
                if !part.isEmpty, random.chance(50) { part.sets["\(name)-own"] = NamedSet(key: [.port]) }
                model[name] = part.isEmpty ? nil : part
                await keeper.set([name: part])
            } else if var part = model[name] {
                var patch = RulesetPatch()
                for _ in 0..<random.number(1..<4) {
                    let data = random.chance(60) ? ElementData(verdict: .goto("port-\(first)"), comment: "\(step)") : nil
                    patch.elements["ports", default: [:]].updateValue(data, forKey: [.port(first + UInt16(random.number(1..<6)))])
                }
                if random.chance(30) { patch.chains["port-\(first)"] = Chain([Rule(.counter, .verdict(random.pick([.accept, .drop])))]) }
                if random.chance(20) { patch.sets.updateValue(random.chance(50) ? NamedSet(key: [.port]) : nil, forKey: "\(name)-own") }
                part.apply(patch)
                model[name] = part
                await keeper.set([name: .patch(patch)])
            }
            guard random.chance(40) else { continue }
            if random.chance(20) { await target.refuse(random.number(1..<3)) }
            try await keeper.sync()
            var whole = Self.base()
            for part in model.values { whole.merge(part) }
            #expect(await target.memory.rules.asKept == whole.asKept, "seed \(seed), step \(step)")
            let difference = try await keeper.check()
            #expect(await keeper.ruleset == whole)
            #expect(difference == nil, "seed \(seed), step \(step)")
        }
    }

    @Test("what the kernel refused is sent again by the clock, although nothing else changes")
    func retry() async throws {
        let keeper = keeper()
        try await following(keeper) { [target, clock, reports] in
            try await eventually("the table stands") { await target.memory.rules == Self.base() }
            await target.refuse(3)  // the change, then its correction, then the table anew
            await keeper.set(["a": Self.part(1)])
            try await eventually("the keeper waits") { clock.sleepers == 1 }
            #expect(await target.memory.rules == Self.base())
            #expect(reports.all.last?.contains("table ip lab is not in step, next try in 1.0 seconds") == true)
            clock.pass(.seconds(1))
            try await eventually("the part is there") { await target.memory.rules == Self.whole(1) }
        }
    }

    @Test("where transactions take long, the first changes go at once, and those that follow close upon them go together")
    func pace() async throws {
        let keeper = keeper()
        await target.take { [clock] in clock.pass(.milliseconds(20)) }
        try await following(keeper) { [target, clock] in
            try await eventually("the table stands") { await target.memory.rules == Self.base() }
            for port in [1, 2] as [UInt16] {
                await keeper.set(["\(port)": Self.part(port)])
                try await eventually("port \(port) is there") { await target.memory.rules.chains["port-\(port)"] != nil }
            }
            try await eventually("the keeper rests") { clock.sleepers == 1 }
            for port in 3...9 as ClosedRange<UInt16> { await keeper.set(["\(port)": Self.part(port)]) }
            clock.pass(.milliseconds(79))
            #expect(await target.applied.count == 3)
            clock.pass(.milliseconds(1))
            try await eventually("all are there") { await target.memory.rules == Self.whole(1, 2, 3, 4, 5, 6, 7, 8, 9) }
            #expect(await target.applied.count == 4)
        }
    }

    @Test("a feeder is asked once for each transaction, and says by then all that has come while the keeper rested")
    func feeder() async throws {
        let feeder = Feeder()
        let keeper = TableKeeper<String>(
            table: TableID(.ip, "lab"), base: Self.base(), target: target, clock: clock, pace: .gathering,
            report: { [reports] in reports.add($0) })
        await target.take { [clock] in clock.pass(.milliseconds(60)) }
        try await withThrowingTaskGroup(of: Void.self) { [target, clock] group in
            group.addTask { try await keeper.run(feeding: { await feeder.take() }) }
            try await eventually("the keeper rests") { clock.sleepers == 1 }
            for port in 1...9 as ClosedRange<UInt16> {
                await feeder.add("\(port % 3)", Self.part(port))
                keeper.remind()
            }
            #expect(await feeder.asked == 1)
            clock.pass(.seconds(1))
            try await eventually("the last are there") { await target.memory.rules == Self.whole(7, 8, 9) }
            #expect(await feeder.asked == 2)
            #expect(await target.applied.count == 2)
            group.cancelAll()
        }
    }

    private actor Feeder {
        private var parts: [String: Ruleset] = [:]
        private(set) var asked = 0

        func add(_ name: String, _ part: Ruleset) { parts[name] = part }
        func take() -> [String: Ruleset] {
            defer { parts = [:] }
            asked += 1
            return parts
        }
    }

    @Test("a change that is refused once is made by reading the table back")
    func refusedOnce() async throws {
        let keeper = keeper()
        try await keeper.sync()
        await target.refuse(1)
        await keeper.set(["a": Self.part(1)])
        try await keeper.sync()
        #expect(await target.memory.rules == Self.whole(1))
        #expect(await target.reads == 2)
    }

    @Test("whoever waits for a sync hears of the kernel's refusal, and the next one makes up for it")
    func refused() async throws {
        let keeper = keeper()
        await target.refuse(2)
        await keeper.set(["a": Self.part(1)])
        await #expect(throws: UnwillingTable.Refusal.self) { try await keeper.sync() }
        await #expect(throws: UnwillingTable.Refusal.self) { try await keeper.sync() }
        try await keeper.sync()
        #expect(await target.memory.rules == Self.whole(1))
    }

    @Test("a loop that was ended and begun again follows as before")
    func runTwice() async throws {
        let keeper = keeper()
        for port in [1, 2] as [UInt16] {
            try await following(keeper) { [target] in
                await keeper.set(["\(port)": Self.part(port)])
                try await eventually("port \(port) is there") { await target.memory.rules.chains["port-\(port)"] != nil }
            }
        }
        #expect(await target.memory.rules == Self.whole(1, 2))
    }

    @Test("changes from many sides at once are all there in the end", arguments: [false, true])
    func atOnce(_ isOptional: Bool) async throws {
        let keeper = keeper(isOptional: isOptional)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for port in 1...16 as ClosedRange<UInt16> {
                group.addTask {
                    await keeper.set(["\(port)": Self.part(port)])
                    try await keeper.sync()
                }
            }
            try await group.waitForAll()
        }
        var all = Self.base()
        for port in 1...16 as ClosedRange<UInt16> { all.merge(Self.part(port)) }
        #expect(await target.memory.rules == all)
        #expect(reports.all == [])
    }

    @Test("an optional table comes with its first part and goes with the last")
    func optional() async throws {
        let keeper = keeper(isOptional: true)
        try await keeper.sync()
        #expect(await target.memory.rules.isEmpty)
        await keeper.set(["a": Self.part(1)])
        try await keeper.sync()
        #expect(await target.memory.rules == Self.whole(1))
        await keeper.set(["a": Ruleset()])
        try await keeper.sync()
        #expect(await target.memory.rules.isEmpty)
        #expect(try await keeper.repair() == nil)
    }

    @Test("a table that is right already is not touched at the start")
    func adopted() async throws {
        try await target.memory.apply(Ruleset.diff(Ruleset(), Self.whole(1)), table: TableID(.ip, "lab"))
        let keeper = keeper()
        await keeper.set(["a": Self.part(1)])
        try await keeper.sync()
        #expect(await target.applied.isEmpty)
    }
}

@Suite("A table that others changed is found and mended")
struct TableRepairTests {
    private let target = UnwillingTable()

    private static func table() -> Ruleset {
        var rules = Ruleset()
        rules.sets["pods"] = NamedSet(key: [.address(.ipv4)])
        rules.chains["input"] = Chain(
            hook: Hook(.filter, .input, 0), [Rule(.inSet([.sourceAddress(.ipv4)], "pods"), .verdict(.jump("more")))])
        rules.chains["more"] = Chain([Rule(.verdict(.drop))])
        for number in 1...3 { rules.add([.address(IPAddress(ipv4: UInt32(number)))], to: "pods") }
        return rules
    }

    private func keeper() async throws -> TableKeeper<String> {
        let keeper = TableKeeper<String>(
            table: TableID(.ip, "lab"), base: Self.table(), target: target, clock: ManualClock(), report: { _ in })
        #expect(try await keeper.check() == nil, "before the first transaction nobody knows what should be there")
        try await keeper.sync()
        return keeper
    }

    private static let foreign = Change.addChain("foreign", nil)
    private static let damages: [(String, [Change])] = [
        ("table ip lab was missing", [.deleteTable]),
        ("table ip lab: chain more was changed", [.flushChain("more")]),
        ("table ip lab: chain foreign was foreign", [foreign]),
        (
            "table ip lab: 1 element was missing",
            [.deleteElement(set: "pods", NamedSet(key: [.address(.ipv4)]), [.address(IPAddress(ipv4: 2))], ElementData())]
        ),
        (
            "table ip lab: chain input was missing, set pods was missing, chain more was changed, 3 elements were missing",
            [.deleteTable, .addTable, .addChain("more", nil)]
        ),
    ]

    @Test("what is missing is told and is there again", arguments: damages.indices)
    func repair(_ index: Int) async throws {
        let (words, damage) = Self.damages[index]
        let keeper = try await keeper()
        #expect(try await keeper.check() == nil)
        #expect(try await keeper.repair() == nil)
        try await target.memory.apply(damage, table: TableID(.ip, "lab"))
        #expect(try await keeper.check()?.description == words)
        #expect(try await keeper.repair()?.description == words)
        #expect(await target.memory.rules == Self.table())
        #expect(try await keeper.repair() == nil)
    }

    @Test("a repair that the kernel refuses is an error, and is made up for by the next sync")
    func refused() async throws {
        let keeper = try await keeper()
        try await target.memory.apply([.deleteTable], table: TableID(.ip, "lab"))
        await target.refuse(1)
        await #expect(throws: UnwillingTable.Refusal.self) { _ = try await keeper.repair() }
        try await keeper.sync()
        #expect(await target.memory.rules == Self.table())
    }
}
