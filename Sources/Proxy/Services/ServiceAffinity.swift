import Model
import Rules

/// How a way into Services remembers clients (sessionAffinity: ClientIP). Each endpoint of a Service has a slot, and keeps it as long as it
/// serves. A map a slot says who is in it; a set a slot and timeout has the clients that were led there, with what they asked for. A client
/// goes to the slot whose set has it; a new one is led by dice. Where a slot is empty now, it is forgotten and led anew.
struct ServiceMemory: Hashable, Sendable {
    let way: ServiceWay
    /// How many slots the Services have, empty ones between others counted.
    let slots: Int
    let seconds: Int

    init(_ way: ServiceWay, slots: Int, seconds: Int) {
        self.way = way
        self.slots = slots
        self.seconds = seconds
    }

    /// What the name of the set of such Services tells; nil for the name of another.
    init?(set: String) {
        for way in ServiceWay.allCases where set.hasPrefix("\(way.name)-") && set.hasSuffix("s") {
            let words = set.dropFirst(way.name.utf8.count + 1).dropLast().split(separator: "-")
            guard words.count == 3, words[1] == "for", let slots = Int(words[0]), let seconds = Int(words[2]) else { continue }
            self.init(way, slots: slots, seconds: seconds)
            return
        }
        return nil
    }

    var set: String { "\(way.name)-\(slots)-for-\(seconds)s" }
    private var chain: String { "\(way.chain)-of-\(slots)-for-\(seconds)s" }

    /// A slot is thrown again where it is empty; then they are taken in order.
    private static let throwsOfDice = 4

    /// The rule that leads such Services here, and what is here.
    func rule(_ family: IPFamily) -> Rule { Rule(.inSet(way.fields(family), set), .verdict(.goto(chain))) }

    func add(to rules: inout Ruleset, _ family: IPFamily) {
        let fields = way.fields(family), client = [Field.sourceAddress(family)] + fields
        rules.sets[set] = NamedSet(
            key: fields.map(\.type), comment: "those with \(slots) slot\(slots == 1 ? "" : "s") that remember for \(seconds) s")
        var remembered: [Rule] = []
        for slot in 0..<slots {
            let clients = way.clients(slot, seconds), chain = way.chain(slot, seconds)
            rules.sets[way.map(slot)] = NamedSet(
                key: fields.map(\.type), data: [.address(family), .port], comment: "who serves in slot \(slot)")
            rules.sets[clients] = NamedSet(key: client.map(\.type), timeout: seconds)
            rules.chains[chain] = Chain([
                Rule(.remember(client, clients), .destinationNATFrom(family, fields, way.map(slot))),
                Rule(.forget(client, clients), comment: "nobody is in this slot"),
            ])
            remembered.append(Rule(.inSet(client, clients), .verdict(.jump(chain))))
        }
        let chains = (0..<slots).map { way.chain($0, seconds) }
        let forgetful = (0..<slots).map(way.chain)
        for (slot, chain) in forgetful.enumerated() {
            rules.chains[chain] = Chain([Rule(.destinationNATFrom(family, fields, way.map(slot)))])
        }
        func led(by chains: [String], throwing count: Int) -> [Rule] {
            let dice = slots == 1 ? [] : [Rule](repeating: Rule(.randomJump(chains)), count: count)
            return dice + chains.map { Rule(.verdict(.jump($0))) }
        }
        // Nobody is sent away because no more can be remembered.
        rules.chains[chain] = Chain(remembered + led(by: chains, throwing: Self.throwsOfDice) + led(by: forgetful, throwing: 1))
    }
}

extension ServiceWay {
    /// From what is asked for to who is in a slot.
    func map(_ slot: Int) -> String { "\(map)-slot-\(slot)" }

    /// The slot that the name of such a map tells.
    func slot(_ map: String) -> Int? {
        guard map.hasPrefix("\(self.map)-slot-") else { return nil }
        return Int(map.dropFirst(self.map.utf8.count + 6))
    }

    func clients(_ slot: Int, _ seconds: Int) -> String { "\(map.dropLast("endpoints".utf8.count))clients-\(seconds)s-slot-\(slot)" }
    func chain(_ slot: Int) -> String { "\(map.dropLast())-\(slot)" }
    func chain(_ slot: Int, _ seconds: Int) -> String { "\(map.dropLast())-\(slot)-for-\(seconds)s" }
}

extension Ruleset {
    /// Adds who serves a port of a Service that remembers its clients. Who had a slot keeps it; who comes takes the first that is empty.
    mutating func add(
        _ endpoints: [ServiceCompiler.Endpoint], of plan: ServiceCompiler.PortPlan, _ way: ServiceWay, _ key: [Value], _ seconds: Int,
        after previous: Ruleset
    ) {
        let targets = endpoints.map { [Value.address($0.address), .port($0.port)] }
        var taken = Self.slots(previous, way, key, among: Set(targets))
        // Of many slots that few are left in, dice find those few badly.
        if (taken.keys.max() ?? 0) > 2 * targets.count + 6 { taken = [:] }
        var rest = Set(targets).subtracting(taken.values), next = 0
        for target in targets where rest.remove(target) != nil {
            while taken[next] != nil { next += 1 }
            taken[next] = target
        }
        let comment = plan.comment, slots = (taken.keys.max() ?? 0) + 1
        add(key, ElementData(comment: comment), to: ServiceMemory(way, slots: slots, seconds: seconds).set)
        for (slot, target) in taken { add(key, ElementData(data: target, comment: comment), to: way.map(slot)) }
    }

    private static func slots(_ previous: Ruleset, _ way: ServiceWay, _ key: [Value], among targets: Set<[Value]>) -> [Int: [Value]] {
        var slots: [Int: [Value]] = [:]
        for (name, members) in previous.elements {
            guard let slot = way.slot(name), let target = members[key]?.data, targets.contains(target) else { continue }
            slots[slot] = target
        }
        return slots
    }
}
