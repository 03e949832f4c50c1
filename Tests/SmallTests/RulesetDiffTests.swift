import Model
import PolicyCases
import Rules
import Testing

private struct Refused: Error, CustomStringConvertible { let description: String }

/// A table in memory that is as strict as the kernel: a batch happens as a whole or not at all, and nothing may name what
/// is not there or vanish while it is named.
actor MemoryTable: RulesetTarget {
    private(set) var rules = Ruleset()

    func read(_ table: TableID) async throws -> Ruleset? { rules.isEmpty ? nil : rules.asKept }

    func apply(_ changes: [Change], table: TableID) async throws {
        var next = rules
        for change in changes { try Self.apply(change, to: &next) }
        rules = next
    }

    private static func require(_ condition: Bool, _ change: Change) throws {
        if !condition { throw Refused(description: change.text(table: TableID(.ip, "lab"))) }
    }

    private static func apply(_ change: Change, to rules: inout Ruleset) throws {
        switch change {
        case .addTable, .addOwnedTable: break
        case .deleteTable: rules = Ruleset()
        case .addChain(let name, let hook):
            try require(rules.chains[name] == nil, change)
            rules.chains[name] = Chain(hook: hook)
        case .flushChain(let name):
            try require(rules.chains[name] != nil, change)
            rules.chains[name]?.rules = []
        case .deleteChain(let name):
            try require(rules.chains[name]?.rules.isEmpty == true, change)
            let jumps = rules.chains.values.flatMap(\.rules).flatMap(\.statements).flatMap(\.references)
            let targets = rules.elements.values.flatMap(\.values).compactMap { $0.verdict?.target }
            try require(!jumps.contains(name) && !targets.contains(name), change)
            rules.chains[name] = nil
        case .addRule(let chain, let rule):
            try require(rules.chains[chain] != nil, change)
            for statement in rule.statements {
                switch statement {
                case .inSet(let fields, let set):
                    let found = rules.sets[set]
                    try require(found?.isVerdictMap == false && found?.key == fields.map(\.type), change)
                case .verdictMap(let fields, let map):
                    let found = rules.sets[map]
                    try require(found?.isVerdictMap == true && found?.key == fields.map(\.type), change)
                case .destinationNATMap(_, let fields, _, let map):
                    let found = rules.sets[map]
                    try require(found?.data.isEmpty == false && found?.key == fields.map(\.type) + [.slot], change)
                case .setMarkFromMap(let fields, let map):
                    try require(rules.sets[map]?.data == [.mark] && rules.sets[map]?.key == fields.map(\.type), change)
                case .remember(_, let set), .forget(_, let set): try require(rules.sets[set]?.timeout != nil, change)
                case .destinationNATFrom(_, let fields, let map):
                    try require(rules.sets[map]?.data.count == 2 && rules.sets[map]?.key == fields.map(\.type), change)
                case .randomJump(let chains): try require(chains.allSatisfy { rules.chains[$0] != nil }, change)
                case .verdict(.jump(let target)), .verdict(.goto(let target)): try require(rules.chains[target] != nil, change)
                default: break
                }
            }
            rules.chains[chain]?.rules.append(rule)
        case .addSet(let name, let set):
            try require(rules.sets[name] == nil, change)
            rules.sets[name] = set
        case .deleteSet(let name, let set):
            let named = rules.chains.values.flatMap(\.rules).flatMap(\.statements).flatMap(\.references)
            try require(rules.sets[name] == set && !named.contains(name), change)
            rules.sets[name] = nil
            rules.elements[name] = nil
        case .addElement(let name, let set, let key, let data):
            try require(rules.sets[name] == set && key.count == set.key.count, change)
            try require(rules.elements[name]?[key] == nil && (data.data?.count ?? 0) == set.data.count, change)
            try require((data.verdict != nil) == set.isVerdictMap, change)
            if let target = data.verdict?.target { try require(rules.chains[target] != nil, change) }
            rules.elements[name, default: [:]][key] = data
        case .deleteElement(let name, let set, let key, let data):
            try require(rules.sets[name] == set && rules.elements[name]?[key] == data, change)
            rules.elements[name]?[key] = nil
            if rules.elements[name]?.isEmpty == true { rules.elements[name] = nil }
        }
    }
}

private func texts(_ changes: [Change]) -> String { changes.map { $0.text(table: TableID(.ip, "lab")) }.joined(separator: "\n") }

/// A set, a map that leads into a chain, and a base chain that looks both up.
private func sample() throws -> Ruleset {
    let pod = try #require(IPAddress("10.244.1.5")), service = try #require(IPAddress("10.1.0.10"))
    var rules = Ruleset()
    rules.sets["peers"] = NamedSet(key: [.address(.ipv4)])
    rules.sets["dispatch"] = NamedSet(key: [.address(.ipv4), .transportProtocol, .port], isVerdictMap: true, comment: "who goes where")
    rules.chains["input"] = Chain(
        hook: Hook(.filter, .input, Hook.filter),
        [Rule(.verdictMap([.destinationAddress(.ipv4), .transportProtocol, .destinationPort], "dispatch"))])
    rules.chains["web"] = Chain([
        Rule(.inSet([.sourceAddress(.ipv4)], "peers"), .counter, .verdict(.accept), comment: "a friend"), Rule(.verdict(.drop)),
    ])
    rules.add([.address(pod)], ElementData(comment: "default/pod"), to: "peers")
    rules.add([.address(service), .proto(.tcp), .port(80)], ElementData(verdict: .goto("web")), to: "dispatch")
    return rules
}

@Suite("The transaction between two rulesets")
struct RulesetTransactions {
    @Test("building up declares before it names")
    func build() throws {
        let expected = """
            add map ip lab dispatch { type ipv4_addr . inet_proto . inet_service : verdict; comment "who goes where"; }
            add set ip lab peers { type ipv4_addr; }
            add chain ip lab input { type filter hook input priority 0; policy accept; }
            add chain ip lab web
            add rule ip lab input ip daddr . meta l4proto . th dport vmap @dispatch
            add rule ip lab web ip saddr @peers counter accept comment "a friend"
            add rule ip lab web drop
            add element ip lab dispatch { 10.1.0.10 . tcp . 80 : goto web }
            add element ip lab peers { 10.244.1.5 comment "default/pod" }
            """
        #expect(try texts(Ruleset.diff(Ruleset(), sample())) == expected)
    }

    @Test("tearing down deletes after the last name")
    func tearDown() throws {
        let expected = """
            flush chain ip lab input
            flush chain ip lab web
            delete element ip lab dispatch { 10.1.0.10 . tcp . 80 : goto web }
            delete element ip lab peers { 10.244.1.5 }
            delete chain ip lab input
            delete chain ip lab web
            delete map ip lab dispatch
            delete set ip lab peers
            """
        #expect(try texts(Ruleset.diff(sample(), Ruleset())) == expected)
    }

    @Test("equal rulesets need no change")
    func equal() throws {
        #expect(try Ruleset.diff(sample(), sample()).isEmpty)
        #expect(Ruleset.diff(Ruleset(), Ruleset()).isEmpty)
    }

    @Test("a changed rule touches its own chain only")
    func oneChain() throws {
        var new = try sample()
        new.chains["web"]?.rules.removeLast()
        let expected = """
            flush chain ip lab web
            add rule ip lab web ip saddr @peers counter accept comment "a friend"
            """
        #expect(try texts(Ruleset.diff(sample(), new)) == expected)
    }

    @Test("one more element is one command")
    func oneElement() throws {
        var new = try sample()
        new.add([.address(IPAddress(ipv4: 0x0AF4_0203))], to: "peers")
        #expect(try texts(Ruleset.diff(sample(), new)) == "add element ip lab peers { 10.244.2.3 }")
        #expect(try texts(Ruleset.diff(new, sample())) == "delete element ip lab peers { 10.244.2.3 }")
    }

    @Test("an element that leads elsewhere is deleted before it is added")
    func redirected() throws {
        let key: [Value] = [.address(IPAddress(ipv4: 0x0A01_000A)), .proto(.tcp), .port(80)]
        var new = try sample()
        new.add(key, ElementData(verdict: .drop), to: "dispatch")
        let expected = """
            delete element ip lab dispatch { 10.1.0.10 . tcp . 80 : goto web }
            add element ip lab dispatch { 10.1.0.10 . tcp . 80 : drop }
            """
        #expect(try texts(Ruleset.diff(sample(), new)) == expected)
    }

    @Test("a part may add elements to sets that the table declares elsewhere")
    func declared() {
        var part = Ruleset()
        part.add([.address(IPAddress(ipv4: 0x0AF4_0203))], to: "shared")
        let shared = ["shared": NamedSet(key: [.address(.ipv4)])]
        #expect(texts(Ruleset.diff(Ruleset(), part, declared: shared)) == "add element ip lab shared { 10.244.2.3 }")
        #expect(texts(Ruleset.diff(part, Ruleset(), declared: shared)) == "delete element ip lab shared { 10.244.2.3 }")
    }

    @Test("a table that is replaced is written from scratch")
    func replaced() {
        let changes: [Change] = [.addTable, .deleteTable, .addTable]
        #expect(texts(changes) == "add table ip lab\ndelete table ip lab\nadd table ip lab")
    }
}

@Suite("Applying transactions")
struct RulesetApplication {
    @Test("a batch with a command missing is refused whole")
    func allOrNothing() async throws {
        let table = MemoryTable()
        let changes = Ruleset.diff(Ruleset(), try sample())
        // Every command that declares something is needed by a later one.
        for missing in 0..<4 {
            let batch = changes.enumerated().filter { $0.offset != missing }.map(\.element)
            await #expect(throws: Refused.self, "without \(changes[missing].text(table: TableID(.ip, "lab")))") {
                try await table.apply(batch, table: TableID(.ip, "lab"))
            }
            #expect(await table.rules.isEmpty)
        }
        try await table.apply(changes, table: TableID(.ip, "lab"))
        #expect(try await table.rules == sample())
    }

    @Test("a batch in reverse order is refused")
    func reversed() async throws {
        let table = MemoryTable()
        try await table.apply(Ruleset.diff(Ruleset(), try sample()), table: TableID(.ip, "lab"))
        await #expect(throws: Refused.self) {
            try await table.apply(Ruleset.diff(try sample(), Ruleset()).reversed(), table: TableID(.ip, "lab"))
        }
        #expect(try await table.rules == sample())
    }

    @Test("any ruleset becomes any other, step by step", arguments: [1, 2, 3, 4] as [UInt64])
    func random(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let table = MemoryTable()
        var old = Ruleset()
        for step in 0..<100 {
            let new = Self.ruleset(&random)
            do { try await table.apply(Ruleset.diff(old, new), table: TableID(.ip, "lab")) } catch {
                Issue.record("seed \(seed), step \(step): \(error)")
                return
            }
            let reached = await table.rules
            #expect(reached == new, "seed \(seed), step \(step)")
            old = new
        }
        try await table.apply(Ruleset.diff(old, Ruleset()), table: TableID(.ip, "lab"))
        #expect(await table.rules.isEmpty)
    }

    private static let sets: [(name: String, set: NamedSet)] = [
        ("addresses", NamedSet(key: [.address(.ipv4)])), ("pairs", NamedSet(key: [.transportProtocol, .port])),
        ("recent", NamedSet(key: [.address(.ipv4)], timeout: 60)), ("by-address", NamedSet(key: [.address(.ipv4)], isVerdictMap: true)),
        ("by-port", NamedSet(key: [.transportProtocol, .port], isVerdictMap: true)),
    ]

    /// Some of six chains and some of five sets; rules jump to later chains only.
    private static func ruleset(_ random: inout SplitMix64) -> Ruleset {
        var rules = Ruleset()
        for (name, set) in sets where random.chance(70) { rules.sets[name] = set }
        let chains = (0..<6).filter { _ in random.chance(70) }
        for number in chains {
            let later = chains.filter { $0 > number }.map { "chain-\($0)" }
            var body: [Rule] = []
            for _ in 0..<random.number(0..<4) { body.append(rule(&random, later, rules.sets)) }
            rules.chains["chain-\(number)"] = Chain(hook: number == 0 ? Hook(.filter, .forward, 0) : nil, body)
        }
        for (name, set) in sets where rules.sets[name] != nil && set.timeout == nil {
            for _ in 0..<random.number(0..<5) {
                let key: [Value] =
                    set.key.count == 1
                    ? [.address(IPAddress(ipv4: UInt32(random.number(1..<6))))]
                    : [.proto(random.pick([.tcp, .udp])), .port(UInt16(random.number(1..<4)))]
                var data = ElementData(comment: random.chance(30) ? "note" : nil)
                if set.isVerdictMap {
                    let target = random.pick([nil] + chains.map { Int?.some($0) })
                    if let target { data.verdict = .goto("chain-\(target)") } else { data.verdict = .drop }
                }
                rules.add(key, data, to: name)
            }
        }
        return rules
    }

    private static func rule(_ random: inout SplitMix64, _ later: [String], _ sets: [String: NamedSet]) -> Rule {
        var statements: [Statement] = []
        if sets["addresses"] != nil, random.chance(40) { statements.append(.inSet([.sourceAddress(.ipv4)], "addresses")) }
        if sets["pairs"] != nil, random.chance(30) { statements.append(.inSet([.transportProtocol, .destinationPort], "pairs")) }
        if sets["recent"] != nil, random.chance(30) { statements.append(.remember([.sourceAddress(.ipv4)], "recent")) }
        if sets["by-address"] != nil, random.chance(30) {
            return Rule(statements + [.verdictMap([.destinationAddress(.ipv4)], "by-address")])
        }
        if sets["by-port"] != nil, random.chance(30) {
            return Rule(statements + [.verdictMap([.transportProtocol, .destinationPort], "by-port")], comment: "by port")
        }
        if later.isEmpty { return Rule(statements + [.verdict(random.chance(50) ? .accept : .drop)]) }
        if random.chance(30) { return Rule(statements + [.randomJump(later)]) }
        return Rule(statements + [.counter, .verdict(.jump(random.pick(later)))])
    }
}

@Suite("nft's words")
struct NFTText {
    private static let pod = IPAddress(ipv4: 0x0AF4_0105)  // 10.244.1.5

    @Test(
        "a statement reads as nft lists it",
        arguments: [
            (
                .match(.sourceAddress(.ipv4), .network(IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16)), negated: true),
                "ip saddr != 10.244.0.0/16"
            ),
            (.match(.inputInterface, .interface("cni0")), "iifname \"cni0\""),
            (.match(.transportProtocol, .proto(.sctp)), "meta l4proto sctp"),
            (.match(.destinationPort, .ports(8000...8080)), "th dport 8000-8080"),
            (.connectionState([.related, .established]), "ct state established,related"),
            (.destinationWasTranslated, "ct status dnat"),
            (.randomJump(["a", "b"]), "numgen random mod 2 vmap { 0 : jump a, 1 : jump b }"),
            (.forget([.sourceAddress(.ipv4), .destinationPort], "recent"), "delete @recent { ip saddr . th dport }"),
            (.destinationNATFrom(.ipv4, [.destinationAddress(.ipv4)], "m"), "dnat ip to ip daddr map @m"),
            (.markUnset(0x4000), "meta mark & 0x00004000 == 0x00000000"),
            (.markHas(0x4000), "meta mark & 0x00004000 != 0x00000000"),
            (.setMarkFromMap([.destinationAddress(.ipv4)], "class"), "meta mark set ip daddr map @class"),
            (.inSet([.orderedMark, .sourceAddress(.ipv4)], "peers"), "meta mark . ip saddr @peers"),
            (.setMark(0x4000), "meta mark set meta mark | 0x00004000"),
            (.flipMark(0x4000), "meta mark set meta mark ^ 0x00004000"),
            (.remember([.sourceAddress(.ipv4)], "recent"), "update @recent { ip saddr }"),
            (.destinationNAT(.udp, IPAddress(ipv4: 0x0AF4_0105), 53), "meta l4proto udp dnat to 10.244.1.5:53"),
            (.sourceNAT(IPAddress(ipv4: 0xC0A8_C80B)), "snat to 192.168.200.11 fully-random"),
            (.masquerade, "masquerade fully-random"), (.verdict(.jump("web")), "jump web"), (.verdict(.return), "return"),
            (.reject, "reject"),
        ] as [(Statement, String)])
    func statements(_ statement: Statement, _ text: String) { #expect(statement.text == text) }

    @Test("a value's bounds are the first and last bytes on the wire")
    func bounds() throws {
        let network = Value.network(try #require(IPNetwork("10.244.1.0/24"))).bounds, ports = Value.ports(256...258).bounds
        #expect(network.first == [10, 244, 1, 0])
        #expect(network.last == [10, 244, 1, 255])
        #expect(ports.first == [1, 0])
        #expect(ports.last == [1, 2])
        #expect(Value.interface("cni0").bounds.first == Array("cni0".utf8) + [UInt8](repeating: 0, count: 12))
    }

    @Test("a range of one is one")
    func canonical() {
        #expect(Value.addresses(Self.pod...Self.pod).canonical == .address(Self.pod))
        #expect(Value.network(IPNetwork(Self.pod, 32)).canonical == .address(Self.pod))
        #expect(Value.ports(80...80).canonical == .port(80))
        #expect(Value.ports(80...81).canonical == .ports(80...81))
    }

    @Test("a whole table reads as nft list table prints it")
    func table() throws {
        let expected = """
            table ip lab {
            \tmap dispatch {
            \t\ttype ipv4_addr . inet_proto . inet_service : verdict; comment "who goes where";
            \t\telements = { 10.1.0.10 . tcp . 80 : goto web }
            \t}
            \tset peers {
            \t\ttype ipv4_addr;
            \t\telements = { 10.244.1.5 comment "default/pod" }
            \t}
            \tchain input {
            \t\ttype filter hook input priority 0; policy accept;
            \t\tip daddr . meta l4proto . th dport vmap @dispatch
            \t}
            \tchain web {
            \t\tip saddr @peers counter accept comment "a friend"
            \t\tdrop
            \t}
            }

            """
        #expect(try sample().text(table: TableID(.ip, "lab")) == expected)
    }
}
