import Synchronization

/// The API as a node's programs have it, beyond a link that may be cut. What follows objects waits until the link is whole and then goes
/// on where it was, as a connection does; every other call fails at once, and whoever made it does without. What a container needs to begin
/// anew is answered as it was last seen, as a kubelet has it in memory.
package final class DistantClient: Client {
    private let api: any Client
    private let place: String
    private let clock: any Clock<Duration>
    private let isReached: @Sendable () async -> Bool
    private let seen = Mutex<[Question: [JSON]]>([:])
    private static let pause = Duration.milliseconds(250)
    /// What is remembered: what containers are made of.
    private static let kept: Set<Resource> = [.configMaps, .secrets, .services, .persistentVolumeClaims, .persistentVolumes]

    private struct Question: Hashable {
        let resource: Resource
        let key: ObjectKey
    }

    /// `place`: where the API listens, as an error names it.
    package init(
        _ api: any Client, at place: String, clock: any Clock<Duration> = ContinuousClock(), isReached: @escaping @Sendable () async -> Bool
    ) {
        (self.api, self.place, self.clock, self.isReached) = (api, place, clock, isReached)
    }

    /// As Go tells it of a socket.
    package struct Unreachable: Error, CustomStringConvertible {
        let place: String
        package init(place: String) { self.place = place }
        package var description: String { "dial tcp \(place): connect: no route to host" }
    }

    /// What is asked for, or what it was when it was asked for last.
    private func ask(_ question: Question, _ body: (any Client) async throws -> [JSON]) async throws -> [JSON] {
        guard await isReached() else {
            guard let answer = seen.withLock({ $0[question] }) else { throw Unreachable(place: place) }
            return answer
        }
        do {
            let answer = try await body(api)
            seen.withLock { $0[question] = answer }
            return answer
        } catch {
            // What is gone is not remembered.
            seen.withLock { $0[question] = nil }
            throw error
        }
    }

    private func call<R>(_ body: (any Client) async throws -> R) async throws -> R {
        guard await isReached() else { throw Unreachable(place: place) }
        return try await body(api)
    }

    private func wait() async throws {
        while await !isReached() { try await clock.sleep(for: Self.pause) }
    }

    package func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        if Self.kept.contains(resource), let namespace, selector == nil {
            let items = try await ask(Question(resource: resource, key: ObjectKey(namespace, ""))) {
                try await $0.list(resource, namespace: namespace, selector: nil).items
            }
            return (items, 0)
        }
        try await wait()
        return try await api.list(resource, namespace: namespace, selector: selector)
    }

    package func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
        WatchEvent, any Error
    > {
        try await wait()
        let events = try await api.watch(resource, namespace: namespace, from: revision)
        return AsyncThrowingStream {
            var next = events.makeAsyncIterator()
            let event = try await next.next()
            try await self.wait()
            return event
        }
    }

    package func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        guard Self.kept.contains(resource) else { return try await call { try await $0.get(resource, key) } }
        return try await ask(Question(resource: resource, key: key)) { [try await $0.get(resource, key)] }.first ?? .null
    }
    package func latest(_ resource: Resource) async throws -> Int { try await call { try await $0.latest(resource) } }
    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await call { try await $0.create(resource, object) }
    }
    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await call { try await $0.update(resource, object) }
    }
    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await call { try await $0.updateStatus(resource, object) }
    }
    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await call { try await $0.patch(resource, key, patch) }
    }
    package func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON { try await call { try await $0.bind(key, binding) } }
    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try await call { try await $0.delete(resource, key, gracePeriod: gracePeriod, uid: uid) }
    }
    package func serviceAccountToken(for pod: Pod, audiences: [String], seconds: Int) async throws -> String {
        try await call { try await $0.serviceAccountToken(for: pod, audiences: audiences, seconds: seconds) }
    }
}
