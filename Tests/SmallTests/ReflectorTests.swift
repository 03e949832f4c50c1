import API
import Model
import Store
import Synchronization
import Testing

/// What a Reflector has told, in order: `+a`, `~a` or `-a` for what came, changed and went, `=` for a list.
private final class Told: Sendable {
    private let words = Mutex<[String]>([])
    var all: [String] { words.withLock { $0 } }
    func note(_ word: String) { words.withLock { $0.append(word) } }

    func note(_ change: Reflector.Change) {
        note("\(change.old == nil ? "+" : change.new == nil ? "-" : "~")\(change.key.name)")
    }
}

private func configMap(_ name: String, labels: JSON = .null, data: String = "") -> JSON {
    ["metadata": ["name": .string(name), "namespace": "default", "labels": labels], "data": ["text": .string(data)]]
}

@Suite("A Reflector follows what there is", .timeLimit(.minutes(5)))
struct Reflectors {
    private let api: APIServer, client: TroubledClient, reflector: Reflector
    private let clock = ManualClock(), told = Told(), reports = Told()

    init() async throws {
        api = try await Fixture.api()
        client = TroubledClient(api)
        reflector = Reflector(.configMaps, client: client, indexes: [.namespace, .labels], clock: clock) { [reports] in reports.note($0) }
    }

    private func following(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await reflector.run {
                    told.note($0)
                } listed: {
                    told.note("=")
                }
            }
            try await body()
            group.cancelAll()
            await #expect(throws: CancellationError.self, "it ends when it is cancelled, and says so") { try await group.waitForAll() }
        }
    }

    private func heard(_ words: String..., after what: String) async throws {
        try await eventually("\(words) is told after \(what), not \(told.all)") { told.all == words }
    }

    @Test("what there is comes first, then what happens, with what was before")
    func order() async throws {
        _ = try await api.create(.configMaps, configMap("a"))
        #expect(!reflector.hasSynced)
        try await following {
            try await heard("+a", "=", after: "the list")
            try await eventually("it watches") { reflector.isFollowing }
            _ = try await api.create(.configMaps, configMap("b"))
            _ = try await api.update(.configMaps, configMap("b", data: "new"))
            try await api.delete(.configMaps, Fixture.key("a"))
            try await heard("+a", "=", "+b", "~b", "-a", after: "three writes")
            #expect(reflector.hasSynced)
            #expect(reflector.list().map(\.objectName) == ["b"])
            #expect(reflector.get(Fixture.key("b"))?["data"]["text"].string == "new")
            #expect(reflector.get(Fixture.key("a")) == nil)
        }
        #expect(!reflector.isFollowing, "nobody follows any more")
    }

    @Test("what came, changed, went and was replaced while no watch told is told after the next list", arguments: [true, false])
    func gap(isExpired: Bool) async throws {
        for name in ["kept", "changed", "gone", "other"] { _ = try await api.create(.configMaps, configMap(name)) }
        try await following {
            try await eventually("it watches") { reflector.isFollowing }
            client.expireWatches(isExpired ? StatusError.expired : nil)
            try await eventually("it waits") { clock.sleepers == 1 }
            #expect(!reflector.isFollowing)
            _ = try await api.update(.configMaps, configMap("changed", data: "new"))
            try await api.delete(.configMaps, Fixture.key("gone"))
            try await api.delete(.configMaps, Fixture.key("other"))
            _ = try await api.create(.configMaps, configMap("other"))
            _ = try await api.create(.configMaps, configMap("came"))
            clock.pass(.seconds(1))
            try await heard(
                "+changed", "+gone", "+kept", "+other", "=", "-gone", "+came", "~changed", "-other", "+other", "=", after: "the gap")
            #expect(reports.all.isEmpty, "falling behind is no error")
            try await eventually("it watches again") { reflector.isFollowing }
            try await api.delete(.configMaps, Fixture.key("kept"))
            try await eventually("the new watch tells") { told.all.last == "-kept" }
        }
    }

    @Test("a list that fails is tried again after longer and longer waits, and reported once")
    func failure() async throws {
        client.refuseLists(5)
        try await following {
            var waited: [Duration] = []
            for lists in 1...5 {
                try await eventually("list \(lists) has failed, and it waits") { client.lists == lists && clock.sleepers == 1 }
                let before = clock.now
                while client.lists == lists {
                    clock.pass(.milliseconds(100))
                    // Real time, for whoever has woken to ask again.
                    try await Task.sleep(for: .milliseconds(20))
                }
                waited.append(before.duration(to: clock.now))
            }
            try await heard("=", after: "the sixth list")
            #expect(zip(waited, waited.dropFirst()).allSatisfy { $0 < $1 }, "\(waited)")
            #expect(reports.all.count == 1 && reports.all[0].contains("configmaps"), "\(reports.all)")
        }
    }

    @Test("a watch that ends again and again makes no hot loop")
    func noHotLoop() async throws {
        try await following {
            for round in 1...4 {
                try await eventually("it watches") { client.lists == round && reflector.isFollowing }
                client.expireWatches()
                try await eventually("it waits") { clock.sleepers == 1 }
                try await Task.sleep(for: .milliseconds(20))
                #expect(client.lists == round, "it lists only when the clock says so")
                clock.pass(.seconds(20))
            }
        }
    }

    @Test("a reader that takes its time misses nothing, though the history does not reach back so far")
    func slowReader() async throws {
        let api = try await Fixture.api(history: History.Limits(events: 20, bytes: 1 << 20))
        let reflector = Reflector(.configMaps, client: api, clock: clock) { _ in }, told = told
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await reflector.run { change in
                    if change.key.name == "first" { for await _ in gate {} }
                    told.note(change)
                }
            }
            try await eventually("it watches") { reflector.isFollowing }
            _ = try await api.create(.configMaps, configMap("first"))
            try await eventually("it is busy") { reflector.get(Fixture.key("first")) != nil }
            _ = try await api.create(.configMaps, configMap("short"))
            for count in 1...200 { _ = try await api.update(.configMaps, configMap("first", data: "\(count)")) }
            try await api.delete(.configMaps, Fixture.key("short"))
            _ = try await api.create(.configMaps, configMap("last"))
            open.finish()
            try await eventually("it has caught up") {
                clock.pass(.seconds(15))
                return told.all.contains("+last") && reflector.get(Fixture.key("first"))?["data"]["text"] == "200"
            }
            #expect(reflector.list().map(\.objectName) == ["first", "last"])
            #expect(told.all.count < 100, "what it had no time for is told in one: \(told.all.count)")
            group.cancelAll()
        }
    }

    @Test("objects are found by label and by an index, and no longer where they were")
    func indexes() async throws {
        _ = try await api.create(.configMaps, configMap("a", labels: ["app": "web", "tier": "1"]))
        _ = try await api.create(.configMaps, configMap("b", labels: ["app": "web"]))
        try await following {
            try await eventually("it watches") { reflector.isFollowing }
            func found(_ selector: String, _ namespace: String? = "default") throws -> [String] {
                reflector.list(namespace: namespace, selector: try LabelSelector(parsing: selector)).map(\.objectName)
            }
            #expect(try found("app=web") == ["a", "b"])
            #expect(try found("app=web,tier!=1") == ["b"])
            #expect(try found("!tier") == ["b"])
            #expect(try found("app=web", "other") == [])
            #expect(try found("app=web", nil) == ["a", "b"])
            _ = try await api.update(.configMaps, configMap("a", labels: ["app": "db"]))
            try await api.delete(.configMaps, Fixture.key("b"))
            try await eventually("both writes are seen") { reflector.get(Fixture.key("b")) == nil }
            #expect(try found("app=web") == [])
            #expect(try found("app=db") == ["a"])
            #expect(reflector.list(.namespace, "default").map(\.objectName) == ["a"])
        }
    }

    @Test("whoever waits for a revision is woken by it, or by being cancelled")
    func waiting() async throws {
        try await following {
            let later = Task { try await reflector.wait { objects, _ in objects[Fixture.key("a")] != nil } }
            let never = Task { try await reflector.wait { objects, _ in objects[Fixture.key("never")] != nil } }
            _ = try await api.create(.configMaps, configMap("a"))
            try await later.value
            never.cancel()
            await #expect(throws: CancellationError.self) { try await never.value }
        }
    }
}

@Suite("Clients: a status is changed", .timeLimit(.minutes(5)))
struct StatusChanges {
    @Test("a status that is lost to others each time is an error, not a success")
    func conflicts() async throws {
        let api = try await Fixture.api(), client = TroubledClient(api)
        _ = try await api.create(.nodes, Fixture.node("n1"))
        client.loseWrites(true)
        let error = await #expect(throws: StatusError.self) {
            try await client.mutateStatus(Node.self, ObjectKey("", "n1")) { $0.status["phase"] = "Running" }
        }
        #expect(error?.reason == .conflict)
        client.loseWrites(false)
        try await client.mutateStatus(Node.self, ObjectKey("", "n1")) { $0.status["phase"] = "Running" }
        #expect(try await api.get(.nodes, ObjectKey("", "n1"))["status"]["phase"] == "Running")
        try await client.mutateStatus(Node.self, ObjectKey("", "nobody")) { $0.status["phase"] = "Running" }
    }
}
