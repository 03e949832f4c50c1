import Synchronization

/// Follows all objects of one kind and keeps what it knows of them: lists, watches, and lists again when the watch has ended or fallen too
/// far behind. What differs from what it knew is told, objects that went while nobody watched among it. (k8s.io/client-go/tools/cache)
///
/// An error is reported once and tried again after a wait that grows; a Reflector ends with its task and not before.
package final class Reflector: Sendable {
    /// What happened to an object: it came when there is no `old`, and went when there is no `new`.
    package struct Change: Sendable {
        package let key: ObjectKey
        package let old: JSON?
        package let new: JSON?

        /// The object as it is, or as it was last.
        package var object: JSON { new ?? old ?? .null }
    }

    package let resource: Resource
    private let client: any Client
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    private let state: Mutex<State>

    private static let shortest = Duration.milliseconds(200), longest = Duration.seconds(15)

    private struct State {
        var objects: IndexedObjects
        /// What has been seen up to here.
        var revision = 0
        var hasSynced = false
        var isFollowing = false
        var waiting: [Int: (isMet: (IndexedObjects, Int) -> Bool, wake: CheckedContinuation<Void, any Error>)] = [:]
        var nextWait = 0
    }

    package init(
        _ resource: Resource, client: any Client, indexes: [ObjectIndex] = [], clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.resource = resource
        self.client = client
        self.clock = clock
        self.report = report
        state = Mutex(State(objects: IndexedObjects(indexes)))
    }

    // MARK: What is known

    /// Whether all there is has been listed once, and told.
    package var hasSynced: Bool { state.withLock { $0.hasSynced } }
    /// Whether it hears of changes now: false from the end of one watch to the beginning of the next.
    package var isFollowing: Bool { state.withLock { $0.isFollowing } }
    package var revision: Int { state.withLock { $0.revision } }

    package func get(_ key: ObjectKey) -> JSON? { state.withLock { $0.objects[key] } }

    /// The objects of a namespace, or all, in order of their keys.
    package func list(namespace: String? = nil, selector: LabelSelector? = nil) -> [JSON] {
        let found = state.withLock { $0.objects.candidates(namespace, selector) }.sorted { $0.key < $1.key }.map(\.value)
        guard let selector, !selector.requirements.isEmpty else { return found }
        return found.filter { selector.matches($0.metadata) }
    }

    /// The objects that an index has under `value`, in order of their keys.
    package func list(_ index: ObjectIndex, _ value: String) -> [JSON] {
        state.withLock { $0.objects.under(index, value) }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Returns once what is known, all of it listed, satisfies `isMet`, which gets the objects and the revision they stand at.
    package func wait(until isMet: @escaping @Sendable (IndexedObjects, Int) -> Bool) async throws {
        let id = state.withLock { state in
            state.nextWait += 1
            return state.nextWait
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wake in
                let ready: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.hasSynced, isMet(state.objects, state.revision) { return .success(()) }
                    state.waiting[id] = (isMet, wake)
                    return nil
                }
                if let ready { wake.resume(with: ready) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id)?.wake }?.resume(throwing: CancellationError())
        }
    }

    // MARK: Following

    /// Follows until cancelled. `told` gets each change, one after the other; `listed` is called after the changes that a list has made.
    package func run(
        isolation: isolated (any Actor)? = #isolation, _ told: (Change) async -> Void = { _ in }, listed: () async -> Void = {}
    ) async throws {
        var wait = Self.shortest, trouble: String?
        defer { state.withLock { $0.isFollowing = false } }
        while true {
            try Task.checkCancellation()
            do {
                let (items, revision) = try await client.list(resource, namespace: nil, selector: nil)
                for change in replace(items, revision) { await told(change) }
                _ = changing { state in
                    state.hasSynced = true
                    return []
                }
                await listed()
                let events = try await client.watch(resource, namespace: nil, from: revision)
                trouble = nil
                state.withLock { $0.isFollowing = true }
                for try await event in events {
                    wait = Self.shortest
                    for change in take(event) { await told(change) }
                }
            } catch let error as StatusError where error.reason == .expired {
                // Too far behind: what is missed is found in the next list.
            } catch  where !Task.isCancelled {
                if trouble != "\(error)" { report("following \(resource): \(error); trying again until it works") }
                trouble = "\(error)"
            }
            state.withLock { $0.isFollowing = false }
            try await clock.sleep(for: wait)
            wait = min(wait * 2, Self.longest)
        }
    }

    private func replace(_ items: [JSON], _ revision: Int) -> [Change] {
        let now = Dictionary(items.map { ($0.metadata.key, $0) }, uniquingKeysWith: { $1 })
        return changing { state in
            state.revision = revision
            let gone = state.objects.all.keys.filter { now[$0] == nil }.sorted()
            return gone.flatMap { state.objects.set($0, nil) } + items.flatMap { state.objects.set($0.metadata.key, $0) }
        }
    }

    private func take(_ event: WatchEvent) -> [Change] {
        changing { state in
            state.revision = max(state.revision, event.object.metadata.revision)
            let key = event.object.metadata.key
            return switch event.kind {
            case .bookmark: []
            // Its last state, which may be newer than the one that is known.
            case .deleted: state.objects.set(key, nil).isEmpty ? [] : [Change(key: key, old: event.object, new: nil)]
            case .added, .modified: state.objects.set(key, event.object)
            }
        }
    }

    /// Changes what is known and wakes whoever has waited for it.
    private func changing(_ change: (inout State) -> [Change]) -> [Change] {
        let (changes, met) = state.withLock { state in
            let changes = change(&state)
            let ids = state.waiting.filter { state.hasSynced && $0.value.isMet(state.objects, state.revision) }.keys
            return (changes, ids.compactMap { state.waiting.removeValue(forKey: $0)?.wake })
        }
        for wake in met { wake.resume() }
        return changes
    }
}
