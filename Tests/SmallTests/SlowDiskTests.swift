import API
import Dispatch
import Foundation
import Model
import Store
import Synchronization
import Testing

/// A disk that takes a write when it is told to.
private final class SlowDisk: Journal {
    private let turns = DispatchSemaphore(value: 0)
    private let state = Mutex((isSlow: false, waiting: 0, written: 0))

    /// How many writes wait for it.
    var waiting: Int { state.withLock(\.waiting) }
    var written: Int { state.withLock(\.written) }
    func becomeSlow() { state.withLock { $0.isSlow = true } }
    func letOneThrough() { turns.signal() }

    private func write() {
        let isSlow = state.withLock { state in
            if state.isSlow { state.waiting += 1 }
            return state.isSlow
        }
        if isSlow { turns.wait() }
        state.withLock { state in
            if isSlow { state.waiting -= 1 }
            state.written += 1
        }
    }

    func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) { write() }
    func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) { write() }
    func revision() -> Int { 0 }
    func load(except: Set<Resource>) -> [(Resource, JSON)] { [] }
    func get(_ resource: Resource, _ key: ObjectKey) -> JSON? { nil }
    func all(_ resource: Resource) -> [ObjectKey: JSON] { [:] }
    func keys(_ resource: Resource) -> [ObjectKey] { [] }
}

@Suite("A slow disk", .timeLimit(.minutes(5)))
struct SlowDiskTests {
    private let disk = SlowDisk()
    private let api: APIServer

    init() async throws {
        api = APIServer(store: try ObjectStore(journal: disk), cluster: Cluster(), now: { Fixture.time })
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        _ = try await api.create(.configMaps, Fixture.configMap("there", ["a": "b"]))
    }

    @Test("keeps who writes waiting, and nobody who reads; what is not on it is not seen, and comes in order")
    func reads() async throws {
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        func names() async throws -> [String] {
            let request = HTTPRequest(method: "GET", target: "/api/v1/namespaces/default/configmaps")
            guard case .json(let list, 200) = await router.respond(request) else { return [] }
            return list["items"].items.map(\.metadata.name)
        }
        var events = try await api.store.watch(.configMaps, namespace: nil, from: await api.store.revision).makeAsyncIterator()
        disk.becomeSlow()
        let writing = (1...3).map { number in Task { try await api.create(.configMaps, Fixture.configMap("new-\(number)", [:])) } }
        try await eventually("a write waits for the disk") { disk.waiting == 1 }
        for _ in 0..<20 { #expect(try await names() == ["there"]) }
        #expect(try await api.get(.configMaps, ObjectKey("default", "there"))["data"] == ["a": "b"])
        #expect(disk.waiting == 1, "one write is on its way, and no reader has waited for it")
        for _ in writing { disk.letOneThrough() }
        for task in writing { _ = try await task.value }
        #expect(try await names() == ["new-1", "new-2", "new-3", "there"])
        var revisions: [Int] = []
        for _ in writing { revisions.append(try #require(try await events.next()).object.metadata.revision) }
        #expect(revisions == revisions.sorted() && Set(revisions).count == 3)
    }

    @Test("of disks as many as tasks have threads none holds one of them: another cluster's readers are answered")
    func manyDisks() async throws {
        let disks = (0...ProcessInfo.processInfo.activeProcessorCount).map { _ in SlowDisk() }
        var writing: [Task<JSON, any Error>] = [], before: [Int] = []
        for disk in disks {
            let api = APIServer(store: try ObjectStore(journal: disk), cluster: Cluster(), now: { Fixture.time })
            _ = try await api.create(.namespaces, Fixture.namespace("default"))
            before.append(disk.written)
            disk.becomeSlow()
            writing.append(Task { try await api.create(.configMaps, Fixture.configMap("new", [:])) })
        }
        // Where the disks hold the threads, nothing else goes on until this thread, which is nobody's, lets them go.
        let isRead = Mutex(false), wasLate = Mutex(false)
        Thread.detachNewThread {
            for _ in 0..<200 where !isRead.withLock { $0 } { usleep(100_000) }
            wasLate.withLock { $0 = !isRead.withLock { $0 } }
            for disk in disks { disk.letOneThrough() }
        }
        try await eventually("all writes wait for their disks, or have been let go") { [before] in
            zip(disks, before).allSatisfy { $0.waiting == 1 || $0.written > $1 }
        }
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        let answer = await router.respond(HTTPRequest(method: "GET", target: "/api/v1/namespaces/default/configmaps/there"))
        isRead.withLock { $0 = true }
        guard case .json(let object, 200) = answer else { throw TookTooLong(what: "the answer") }
        #expect(object["data"] == ["a": "b"])
        for task in writing { _ = try await task.value }
        let isLate = wasLate.withLock { $0 }
        #expect(!isLate, "the answer came while the disks were slow")
    }

    @Test("lets two writers of one version not both win")
    func conflict() async throws {
        let old = try await api.get(.configMaps, ObjectKey("default", "there"))
        disk.becomeSlow()
        let writing = ["c", "d"].map { value in
            Task {
                var new = old
                new["data"] = ["a": .string(value)]
                return try await api.update(.configMaps, new)
            }
        }
        try await eventually("a write waits for the disk") { disk.waiting == 1 }
        for _ in writing { disk.letOneThrough() }
        var won = 0
        for task in writing {
            do {
                _ = try await task.value
                won += 1
            } catch let error as StatusError { #expect(error.reason == .conflict) }
        }
        #expect(won == 1)
    }
}
