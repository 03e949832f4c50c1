import API
import Lab
import Model
import Synchronization
import Testing

/// A kernel that counts how often it is looked at.
private final class CountedSight: MapSource {
    private let counts = Mutex((opened: 0, looks: 0))
    var looks: Int { counts.withLock { $0.looks } }
    var opened: Int { counts.withLock { $0.opened } }
    func open() -> Self {
        counts.withLock { $0.opened += 1 }
        return self
    }
    func look(at pods: [Pod]) async throws -> MapSight {
        let looks = counts.withLock { counts in
            counts.looks += 1
            return counts.looks
        }
        return MapFixture.sight(bytes: UInt64(looks))
    }
    func moved(now: Double) async throws -> [ConnectionMoves.Connection] { [] }
}

@Suite("The map's page is for whoever has its token, and costs nothing while nobody looks")
struct MapPageTests {
    private let token = MapDoor.secret()
    private let sight = CountedSight()
    private let clock = ManualClock()

    private func withPage(_ body: (MapPage, MapFeed, MapTickets) async throws -> Void) async throws {
        let api = try await Fixture.api(), threads = RequestThreads(count: 1), tickets = MapTickets()
        let feed = MapFeed(
            cluster: MapFixture.cluster(), client: api, threads: threads, clock: clock, now: { Fixture.time },
            eyes: { [sight] in sight.open() })
        let page = MapPage(token: token, tickets: tickets, feed: feed, threads: threads)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await feed.run { Issue.record("\($0)") } }
            defer { group.cancelAll() }
            try await body(page, feed, tickets)
        }
    }

    /// The code, the headers and the body of an answer.
    private func get(_ page: MapPage, _ target: String, method: String = "GET", host: String? = "127.0.0.1:40000") async -> (
        code: Int, headers: [String: String], body: String
    ) {
        let request = HTTPRequest(method: method, target: target, headers: host.map { [("Host", $0)] } ?? [])
        let user: UserInfo
        do { user = try await page.admit(request) } catch { return ((error as? StatusError)?.code ?? 0, [:], "\(error)") }
        var response = await page.respond(request, as: user), headers: [String: String] = [:]
        while case .with(let more, let inner) = response {
            for (name, value) in more { headers[name] = value }
            response = inner
        }
        switch response {
        case .json(let json, let code): return (code, headers, json.text())
        case .text(let text, let code): return (code, headers, text)
        case .bytes(let bytes, let type, let code):
            headers["Content-Type"] = type
            return (code, headers, String(decoding: bytes, as: UTF8.self))
        case .relayed(let code, let more, _):
            for (name, value) in more { headers[name] = value }
            return (code, headers, "")
        case .stream, .with: return (200, headers, "")
        }
    }

    @Test("without the token, under another host's name or with another method than GET there is nothing")
    func door() async throws {
        try await withPage { page, _, _ in
            for target in ["/", "/favicon.ico", "/snapshot", "/\(token.dropLast())0/", "/\(token)0/", "/open/\(token)"]
            where target != "/\(token)/" {
                #expect(await get(page, target).code == 403, "\(target)")
            }
            #expect(await get(page, "/\(token)/", host: "evil.example:40000").code == 403)
            #expect(await get(page, "/\(token)/", host: nil).code == 403)
            for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                #expect(await get(page, "/\(token)/", method: method).code == 405, "\(method)")
            }
            #expect(await get(page, "/\(token)/", host: "localhost:40000").code == 200)
            #expect(await get(page, "/\(token)/nothing").code == 404)
            #expect(await get(page, "/\(token)").headers["Location"] == "/\(token)/")
        }
    }

    @Test("every file that the page names is there, and nothing of another server's")
    func files() async throws {
        try await withPage { page, _, _ in
            let start = await get(page, "/\(token)/")
            #expect(start.headers["Content-Type"] == "text/html; charset=utf-8" && start.headers["Referrer-Policy"] == "no-referrer")
            #expect(start.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'; script-src 'self'") == true)
            var names = Set(start.body.matches(of: /(?:src|href)="([^"]+)"/).map { String($0.1) }), seen: Set<String> = []
            #expect(names.isSuperset(of: ["map.js", "map.css", "icon.svg"]))
            while let name = names.popFirst() {
                guard seen.insert(name).inserted else { continue }
                let file = await get(page, "/\(token)/\(name)")
                #expect(file.code == 200 && !file.body.isEmpty, "\(name)")
                // Only what SVG is called by may look like an address.
                #expect(file.body.matches(of: /https?:\/\/[^"\s]+/).allSatisfy { $0.0 == "http://www.w3.org/2000/svg" }, "\(name)")
                names.formUnion(file.body.matches(of: /from "\.\/([^"]+)"/).map { String($0.1) })
            }
            #expect(seen.count == 9)
        }
    }

    @Test("an address for once lets in once")
    func tickets() async throws {
        try await withPage { page, _, tickets in
            let once = await tickets.make()
            #expect(await get(page, "/open/\(once)").headers["Location"] == "/\(token)/")
            #expect(await get(page, "/open/\(once)").code == 403)
        }
    }

    @Test("nothing is looked at until somebody looks, and nothing after the last has left")
    func idle() async throws {
        try await withPage { page, feed, _ in
            #expect(await get(page, "/\(token)/map.js").code == 200)
            try await Task.sleep(for: .milliseconds(50))
            #expect(sight.looks == 0 && clock.sleepers == 0)
            let first = await get(page, "/\(token)/snapshot")
            let map = try JSON(parsing: first.body)
            #expect(map["machines"].items.map { $0["name"].string } == ["n1", "n2", "LAN", "outside"] && sight.opened == 1)
            // The one who looked has left; it goes on for ten seconds, and ends.
            try await eventually("what nobody sees is not kept") {
                clock.pass(.milliseconds(500))
                return await !feed.isLooking
            }
            let looks = sight.looks
            #expect(looks > 1 && looks < 30 && clock.sleepers == 0)
            #expect(await get(page, "/\(token)/snapshot").code == 200 && sight.opened == 2)
        }
    }

    @Test("who looks is told counters when they change, and the whole only when that does")
    func news() async throws {
        try await withPage { _, feed, _ in
            var moments = try await feed.watch().makeAsyncIterator()
            let first = try #require(await moments.next())
            #expect(first.news(after: nil)["counters"]["n1 vetha"][0].int == 1)
            let passing = Task { [clock] in
                while !Task.isCancelled {
                    clock.pass(.milliseconds(500))
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            defer { passing.cancel() }
            let second = try #require(await moments.next())
            #expect(second.version == first.version)
            #expect(
                second.news(after: first).object?.keys == ["counters"] && second.news(after: first)["counters"].object?.keys == ["n1 vetha"]
            )
            #expect(second.news(after: second).isNull)
        }
    }

    @Test("what policies did before anybody looked is told, as far as the store remembers")
    func past() async throws {
        let api = try await Fixture.api()
        for (name, host) in [("web", 5), ("other", 7)] {
            var pod = MapFixture.pod(name, 1, host).json
            pod["apiVersion"] = "v1"
            pod["kind"] = "Pod"
            _ = try await api.store.create(.pods, pod)
        }
        var policy = MapFixture.onlyClient
        (policy["apiVersion"], policy["kind"]) = ("networking.k8s.io/v1", "NetworkPolicy")
        _ = try await api.create(.networkPolicies, policy)
        try await api.delete(.networkPolicies, Fixture.key("only-client"))
        let moments = try await MapPast(store: api.store, cluster: MapFixture.cluster()).moments()
        #expect(moments.map { $0.snapshot.policies.map(\.name) } == [[], ["only-client"], []])
        #expect(moments.map { $0.snapshot.pods.count } == [2, 2, 2])
        #expect(moments.map { $0.time != nil } == [false, true, false])
        var history = MapHistory()
        for moment in moments { history.note(moment.snapshot, MapReach(moment.snapshot), at: moment.time) }
        #expect(
            history.changes.map(\.title).dropFirst() == [
                "NetworkPolicy default/only-client created", "NetworkPolicy default/only-client deleted",
            ])
        #expect(
            history.changes.map { $0.differences.contains { $0.from == "default/other" && $0.probe == "TCP/80" } } == [false, true, true])
    }

    @Test("more than eight at once are refused")
    func crowd() async throws {
        try await withPage { page, feed, _ in
            var streams: [AsyncStream<MapMoment>] = []
            for _ in 0..<MapFeed.mostViewers { streams.append(try await feed.watch()) }
            #expect(await get(page, "/\(token)/events").code == 503)
            #expect(streams.count == MapFeed.mostViewers)
        }
    }
}
