import API
import DNS
import Model
import Synchronization
import Testing

/// Records as a server reads them: the whole, then what has changed since.
private final class RecordsInMemory: RecordTarget {
    struct Refused: Error, CustomStringConvertible { let description = "no space left" }

    private struct State {
        var whole: DNSRecords?
        var changes: [DNSChange] = []
        var wholes = 0, folds = 0
        var isUnreadable = false
        var appends: [[DNSChange]] = []
        var refusals = 0
        var isHeld = false
        var waits = 0
    }

    private let state = Mutex(State())

    var wholes: Int { state.withLock { $0.wholes } }
    var folds: Int { state.withLock { $0.folds } }
    func spoil(_ isUnreadable: Bool) { state.withLock { $0.isUnreadable = isUnreadable } }
    var serialOfWhole: Int? { state.withLock { $0.whole?.serial } }
    /// What was appended, one writing after the other.
    var appends: [[DNSChange]] { state.withLock { $0.appends } }
    /// How many writings have waited.
    var waits: Int { state.withLock { $0.waits } }
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }
    /// Keeps whoever writes waiting.
    func hold(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }
    func leave(_ records: DNSRecords) { state.withLock { $0.whole = records } }

    /// The server's answer to a Service's name.
    func address(_ name: String) -> String? {
        let (whole, changes) = state.withLock { ($0.whole, $0.changes) }
        guard let whole else { return nil }
        var zone = DNSZone(whole)
        for change in changes { zone.apply(change) }
        let answer = zone.resolve(DNSQuestion(name: "\(name).default.svc.cluster.local", type: .a))
        for record in answer.answers { if case .a(let address) = record.data { return "\(address)" } }
        return nil
    }

    private func write(_ body: (inout State) throws -> Void) async throws {
        if state.withLock({ state in
            if state.isHeld { state.waits += 1 }
            return state.isHeld
        }) {
            while state.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(2)) }
        }
        try state.withLock { state in
            if state.refusals > 0 {
                state.refusals -= 1
                throw Refused()
            }
            try body(&state)
        }
    }

    func read() async throws -> DNSBook? {
        state.withLock { state in
            guard let whole = state.whole, !state.isUnreadable else { return nil }
            var book = DNSBook(whole)
            for change in state.changes { book.take(change) }
            return book
        }
    }

    func newSerial() async throws -> Int { state.withLock { ($0.whole?.serial ?? 0) + 1 } }

    func fold(_ records: DNSRecords) async throws {
        try await write { state in
            #expect(records.serial == (state.whole?.serial ?? 0) + 1)
            (state.whole, state.changes) = (records, [])
            state.folds += 1
        }
    }

    func write(_ records: DNSRecords) async throws {
        try await write { state in
            (state.whole, state.changes) = (records, [])
            state.wholes += 1
        }
    }

    func append(_ changes: [DNSChange], since serial: Int) async throws {
        try await write { state in
            #expect(serial == state.whole?.serial)
            state.changes += changes
            state.appends.append(changes)
        }
    }
}

@Suite("The feed of the DNS server")
struct DNSFeedTests {
    private let api: APIServer
    private let client: TroubledClient
    private let clock = ManualClock()
    private let records = RecordsInMemory()
    private let reports = Reports()

    private final class Reports: Sendable {
        let all = Mutex<[String]>([])
    }

    init() async throws {
        api = try await Fixture.api()
        client = TroubledClient(api)
    }

    private func following(_ body: () async throws -> Void) async throws {
        let feed = DNSFeed(
            zone: "cluster.local", target: records, client: client, clock: clock,
            report: { [reports] text in reports.all.withLock { $0.append(text) } })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await feed.run() }
            try await body()
            group.cancelAll()
        }
    }

    /// Lets moments pass until `holds`: what waits between two writings goes on.
    private func until(_ what: String, _ holds: () async throws -> Bool) async throws {
        try await eventually(what) {
            clock.pass(.milliseconds(1))
            return try await holds()
        }
    }

    private func create(_ name: String, _ address: String) async throws {
        _ = try await api.create(.services, Fixture.service(name, clusterIP: address))
    }

    @Test("the whole is written once all is known, then what changes, and the whole again when there are more changes than names")
    func whole() async throws {
        try await create("web", "10.1.0.80")
        try await following {
            try await until("the whole is written") { records.wholes == 1 }
            #expect(records.address("web") == "10.1.0.80")
            try await create("db", "10.1.0.81")
            try await until("the change is written") { records.address("db") == "10.1.0.81" }
            try await api.delete(.services, Fixture.key("web"))
            try await until("the deletion is written") { records.address("web") == nil }
            #expect(records.wholes == 1 && records.appends.map(\.count) == [1, 1])
            for round in 0..<11 {
                for number in 0..<100 {
                    let name = "s\(number)"
                    if round == 0 {
                        try await create(name, "10.1.1.\(number)")
                    } else {
                        _ = try await api.patch(.services, Fixture.key(name), ["spec": ["ports": [["port": .int(1000 + round)]]]])
                    }
                }
                try await until("all of them are written") { records.appends.reduce(0) { $0 + $1.count } == 2 + (round + 1) * 100 }
            }
            #expect(records.wholes == 1 && records.folds == 1 && records.serialOfWhole == 2, "once there are more changes than names")
            #expect(records.address("s7") == "10.1.1.7")
        }
    }

    @Test("a list that fails leaves the records as an earlier daemon left them until all is known; then what differs is written")
    func unlisted() async throws {
        var left = DNSRecords(
            zone: "cluster.local",
            services: [
                DNSRecords.ServiceRecord(
                    name: "web", namespace: "default", clusterIPs: [IPAddress(ipv4: 0x0A01_0063)], externalName: nil, ports: [],
                    endpoints: [])
            ])
        left.serial = 7
        records.leave(left)
        try await create("web", "10.1.0.80")
        client.refuseLists(2)
        try await following {
            try await until("two of three lists failed, the third watches") { client.lists == 3 && client.watches == 1 }
            #expect(records.wholes == 0 && records.address("web") == "10.1.0.99")
            clock.pass(.seconds(1))
            try await until("all is known") { records.address("web") == "10.1.0.80" }
            #expect(records.wholes == 0 && records.serialOfWhole == 7 && records.appends.count == 1)
        }
        #expect(reports.all.withLock { $0 }.count == 2)
    }

    @Test("what cannot be read to its end is written anew, under a serial that nothing has had")
    func unreadable() async throws {
        var left = DNSRecords(zone: "cluster.local", services: [])
        left.serial = 7
        records.leave(left)
        records.spoil(true)
        try await create("web", "10.1.0.80")
        try await following {
            try await until("the whole is written") { records.wholes == 1 }
            #expect(records.address("web") == "10.1.0.80" && records.serialOfWhole == 8 && records.appends.isEmpty)
        }
    }

    @Test("a watch that expires is begun again, and what went meanwhile is gone from the records")
    func expired() async throws {
        for (name, address) in [("web", "10.1.0.80"), ("db", "10.1.0.81")] { try await create(name, address) }
        try await following {
            try await until("all is written and watched") { records.wholes == 1 && client.watches == 3 }
            client.expireWatches()
            try await eventually("it waits") { clock.sleepers >= 3 }
            try await api.delete(.services, Fixture.key("web"))
            clock.pass(.seconds(1))
            try await until("the gap's deletion is written") { records.address("web") == nil }
            #expect(records.address("db") == "10.1.0.81" && records.wholes == 1)
            #expect(records.appends == [[.gone(Fixture.key("web"))]])
        }
    }

    @Test("what changes often while a writing takes long is written once, as it is then")
    func slow() async throws {
        try await create("web", "10.1.0.80")
        try await following {
            try await until("the whole is written") { records.wholes == 1 }
            records.hold(true)
            try await create("first", "10.1.0.90")
            try await until("a writing takes long") { records.waits == 1 }
            for round in 0..<40 {
                if round > 0 { try await api.delete(.services, Fixture.key("often")) }
                try await create("often", "10.1.0.\(100 + round)")
            }
            try await create("mark", "10.1.0.91")
            records.hold(false)
            try await until("all is written") { records.address("mark") != nil && records.address("often") == "10.1.0.139" }
            #expect(records.appends.count <= 4, "each writing takes all that has come")
        }
    }

    @Test("a writing that fails is told, and what is missing is written when it can be")
    func refused() async throws {
        try await create("web", "10.1.0.80")
        try await following {
            try await until("the whole is written") { records.wholes == 1 }
            records.refuse(2)
            try await create("db", "10.1.0.81")
            try await until("it is refused twice") { reports.all.withLock { $0.count } == 2 }
            #expect(records.address("db") == nil && records.address("web") == "10.1.0.80")
            try await until("it is written") { records.address("db") == "10.1.0.81" }
            #expect(records.wholes == 1 && records.appends.map(\.count) == [1])
        }
        #expect(reports.all.withLock { $0 } == Array(repeating: "DNS records: no space left; trying again", count: 2))
    }
}
