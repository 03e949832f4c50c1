import API
import Model
import Synchronization

/// A client whose lists and writes fail and whose watches end when a test says so.
final class TroubledClient: Client {
    private struct State {
        var refusedLists = 0
        var lists = 0
        var gets = 0
        var isLosing = false
        var refusedGets = 0
        var held: Set<Resource> = []
        var watches: [AsyncThrowingStream<WatchEvent, any Error>.Continuation] = []
    }

    let api: APIServer
    private let state = Mutex(State())

    init(_ api: APIServer) { self.api = api }

    /// How many lists were asked for.
    var lists: Int { state.withLock { $0.lists } }
    /// How many objects were asked for.
    var gets: Int { state.withLock { $0.gets } }
    var watches: Int { state.withLock { $0.watches.count } }

    func refuseLists(_ count: Int) { state.withLock { $0.refusedLists = count } }

    func refuseGets(_ count: Int) { state.withLock { $0.refusedGets = count } }

    /// Keeps back what the watches of a resource tell.
    func hold(_ resource: Resource, _ isHeld: Bool) {
        state.withLock { state in if isHeld { state.held.insert(resource) } else { state.held.remove(resource) } }
    }

    /// From now on each write of a status comes too late, or none does.
    func loseWrites(_ isLosing: Bool) { state.withLock { $0.isLosing = isLosing } }

    /// Ends every watch, with 410 Expired unless it is told how; what happens from now on, no watch tells.
    func expireWatches(_ error: (any Error)? = StatusError.expired) {
        let watches = state.withLock { state in
            defer { state.watches = [] }
            return state.watches
        }
        for watch in watches { watch.finish(throwing: error) }
    }

    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        let isRefused = state.withLock { state in
            state.lists += 1
            state.refusedLists -= 1
            return state.refusedLists >= 0
        }
        if isRefused { throw StatusError(503, .serviceUnavailable, "try again later") }
        return try await api.list(resource, namespace: namespace, selector: selector)
    }

    func latest(_ resource: Resource) async throws -> Int { try await api.latest(resource) }

    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        let inner = try await api.watch(resource, namespace: namespace, from: revision)
        let (outer, continuation) = AsyncThrowingStream.makeStream(of: WatchEvent.self, bufferingPolicy: .bufferingOldest(1000))
        state.withLock { $0.watches.append(continuation) }
        let pump = Task {
            do {
                for try await event in inner {
                    while state.withLock({ $0.held.contains(resource) }) { try await Task.sleep(for: .milliseconds(2)) }
                    // All that a watch across a network tells.
                    continuation.yield(WatchEvent(event.kind, event.object))
                }
                continuation.finish()
            } catch { continuation.finish(throwing: error) }
        }
        continuation.onTermination = { _ in pump.cancel() }
        return outer
    }

    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        let isRefused = state.withLock { state in
            state.gets += 1
            state.refusedGets -= 1
            return state.refusedGets >= 0
        }
        if isRefused { throw StatusError(503, .serviceUnavailable, "try again later") }
        return try await api.get(resource, key)
    }
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.create(resource, object) }
    func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        try await api.bind(key, binding)
    }
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.update(resource, object) }
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        if state.withLock({ $0.isLosing }) { throw StatusError.conflict(resource, object.metadata.name) }
        return try await api.updateStatus(resource, object)
    }
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON { try await api.patch(resource, key, patch) }
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try await api.delete(resource, key, gracePeriod: gracePeriod, uid: uid)
    }
}
