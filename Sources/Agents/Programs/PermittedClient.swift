import Model
import Synchronization

/// A client whose rights are somebody else's manifest's: of a kind that it may do without, what it may not list, or the server does not
/// know, is taken for none, and asked for again after a while.
package final class PermittedClient: Client {
    private let api: any Client
    private let optional: Set<Resource>
    private let clock: any Clock<Duration>
    private let tell: @Sendable (String) -> Void
    private let told = Mutex<Set<Resource>>([])
    private static let pause = Duration.seconds(60)

    package init(
        _ api: any Client, without optional: Set<Resource>, clock: any Clock<Duration> = ContinuousClock(),
        tell: @escaping @Sendable (String) -> Void
    ) {
        (self.api, self.optional, self.clock, self.tell) = (api, optional, clock, tell)
    }

    /// What `body` answers; nil where that is refused for good.
    private func ask<R>(_ resource: Resource, _ body: () async throws -> R) async throws -> R? {
        do { return try await body() } catch let error as StatusError where optional.contains(resource) && [403, 404].contains(error.code) {
            if told.withLock({ $0.insert(resource).inserted }) { tell("\(resource): \(error); they are taken for none") }
            return nil
        }
    }

    package func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        try await ask(resource) { try await api.list(resource, namespace: namespace, selector: selector) } ?? ([], 0)
    }

    package func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
        WatchEvent, any Error
    > {
        if let events = try await ask(resource, { try await api.watch(resource, namespace: namespace, from: revision) }) { return events }
        return AsyncThrowingStream { [clock] in
            try await clock.sleep(for: Self.pause)
            return nil
        }
    }

    package func latest(_ resource: Resource) async throws -> Int { try await ask(resource) { try await api.latest(resource) } ?? 0 }
    package func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON { try await api.get(resource, key) }
    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.create(resource, object) }
    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.update(resource, object) }
    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.updateStatus(resource, object) }
    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await api.patch(resource, key, patch)
    }
    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try await api.delete(resource, key, gracePeriod: gracePeriod, uid: uid)
    }
}
