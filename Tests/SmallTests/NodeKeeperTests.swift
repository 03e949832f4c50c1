import API
import Model
import Runtime
import Synchronization
import Testing

/// A part that finds what a test says, once.
private final class TroubledPart: NodePart {
    struct Refused: Error {}
    private let state = Mutex((found: [String](), refusals: 0, looks: 0))

    var looks: Int { state.withLock { $0.looks } }
    func lose(_ items: [String]) { state.withLock { $0.found = items } }
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

    func repair() async throws -> [String] {
        try state.withLock { state in
            state.looks += 1
            if state.refusals > 0 {
                state.refusals -= 1
                throw Refused()
            }
            defer { state.found = [] }
            return state.found
        }
    }
}

@Suite("a node is held against what it should be by the clock")
struct NodeKeeperTests {
    private let clock = ManualClock()
    private let part = TroubledPart()
    private let life = Life()

    private final class Life: Sendable {
        let isAlive = Mutex(true)
        let reports = Mutex<[String]>([])
    }

    private func keeper(_ api: APIServer, mends: Bool = true) async -> NodeKeeper {
        let keeper = NodeKeeper(
            name: "n1", client: api, clock: clock, isAlive: { [life] in life.isAlive.withLock { $0 } }, mends: { mends },
            report: { [life] text in life.reports.withLock { $0.append(text) } })
        await keeper.add(part)
        return keeper
    }

    private func apiWithNode() async throws -> APIServer {
        let api = try await Fixture.api()
        _ = try await api.create(.nodes, Fixture.node("n1"))
        return api
    }

    private func events(_ api: APIServer) async throws -> [JSON] { try await api.list(.events, namespace: nil, selector: nil).items }

    /// Lets `seconds` pass, one by one, as the keeper sleeps.
    private func pass(_ seconds: Int) async throws {
        for _ in 0..<seconds {
            try await eventually("the keeper sleeps") { clock.sleepers == 1 }
            clock.pass(.seconds(1))
        }
        try await eventually("the keeper sleeps again") { clock.sleepers == 1 }
    }

    @Test("every thirty seconds, and what was found is told about the Node")
    func clockwork() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            try await pass(29)
            #expect(part.looks == 0)
            part.lose(["table ip kube-netpol was missing", "link flannel.1"])
            try await pass(1)
            #expect(part.looks == 1)
            let event = try #require(try await events(api).first)
            #expect(event["reason"].string == "NetworkRepaired" && event["type"].string == "Warning")
            #expect(event["involvedObject"]["kind"].string == "Node" && event["involvedObject"]["name"].string == "n1")
            #expect(event["message"].string == "Found missing and made again: table ip kube-netpol was missing; link flannel.1")
            try await pass(30)
            #expect(part.looks == 2)
            #expect(try await events(api).count == 1, "a look that finds nothing says nothing")
            part.lose(["\(NodeKeeper.unmended)pod default/web: eth0 is another"])
            try await pass(30)
            let broken = try await events(api).map { $0["message"].string ?? "" }
            #expect(broken.contains("Found wrong, and not mended: pod default/web: eth0 is another"))
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }

    @Test("at once when the node's init has ended")
    func initEnds() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            try await pass(1)
            #expect(part.looks == 0)
            life.isAlive.withLock { $0 = false }
            try await pass(1)
            #expect(part.looks == 1)
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }

    @Test("repair: manual leaves alone what is broken, by the clock and when asked, but not a node whose init has ended")
    func manual() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api, mends: false)
        part.lose(["route default"])
        #expect(await keeper.repair() == [] && part.looks == 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            try await pass(31)
            #expect(part.looks == 0)
            life.isAlive.withLock { $0 = false }
            try await pass(1)
            #expect(part.looks == 1)
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }

    @Test("a part that cannot be mended is told, does not keep the others from it, and is tried again")
    func refusal() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api)
        let other = TroubledPart()
        await keeper.add(other)
        part.refuse(1)
        other.lose(["route default"])
        let found = await keeper.repair()
        #expect(found.first == "route default" && found.count == 2 && found[1].hasPrefix("not mended: "))
        #expect(life.reports.withLock { $0 }.contains { $0.hasPrefix("node n1: repair: ") })
        part.lose(["link cni0"])
        #expect(await keeper.repair() == ["link cni0"])
        #expect(try await events(api).count == 2)
    }

    @Test("what a daemon found as it came back is told to whoever asks first")
    func start() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api)
        await keeper.note(["link flannel.1"])
        #expect(await keeper.repair() == ["link flannel.1"])
        #expect(await keeper.repair() == [])
    }

    @Test("an event stays readable, however much was lost")
    func summary() async throws {
        let api = try await apiWithNode(), keeper = await keeper(api)
        part.lose((0..<300).map { "route 10.244.\($0).0/24 via 10.244.\($0).0 dev flannel.1" })
        #expect(await keeper.repair().count == 300)
        let message = try #require(try await events(api).first?["message"].string)
        #expect(message.utf8.count < 1024 && message.hasSuffix(" and 292 more"))
    }
}
