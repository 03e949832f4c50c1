import Synchronization

/// What controllers know of the cluster: one Reflector a kind, shared by all who follow it. (k8s.io/client-go/informers)
package final class Informers: Sendable {
    private struct Followed {
        let reflector: Reflector
        var handlers: [@Sendable (Reflector.Change) -> Void] = []
    }

    package let client: any Client
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    private let followed = Mutex<[Resource: Followed]>([:])

    package init(client: any Client, clock: any Clock<Duration> = ContinuousClock(), report: @escaping @Sendable (String) -> Void) {
        self.client = client
        self.clock = clock
        self.report = report
    }

    /// Has a kind followed, and `handler` told of each change. Whoever comes after `run` has begun is not heard.
    package func follow(_ resource: Resource, _ handler: (@Sendable (Reflector.Change) -> Void)? = nil) {
        followed.withLock { followed in
            var indexes: [ObjectIndex] = [.namespace, .controller]
            if resource == .pods { indexes += [.labels, .node] }
            if resource == .endpointSlices { indexes.append(.labels) }
            if resource == .services { indexes.append(.selector) }
            var entry =
                followed[resource]
                ?? Followed(reflector: Reflector(resource, client: client, indexes: indexes, clock: clock, report: report))
            if let handler { entry.handlers.append(handler) }
            followed[resource] = entry
        }
    }

    /// Nil for a kind that nobody follows.
    package subscript(resource: Resource) -> Reflector? { followed.withLock { $0[resource]?.reflector } }

    /// The objects of a kind as far as they are known here; none of a kind that is not followed.
    package func list<T: Object>(_ type: T.Type, namespace: String? = nil) -> [T] {
        self[T.resource]?.list(namespace: namespace).map { T($0) } ?? []
    }

    /// The Services that select a pod with these labels, as far as they are known here.
    package func services(in namespace: String, selecting labels: [String: String]) -> [Service] {
        labels.flatMap { self[.services]?.list(.selector, ObjectIndex.label(namespace, $0.key, $0.value)) ?? [] }
            .map { Service($0) }.filter { $0.selector?.matches(labels) ?? false }
    }

    /// Follows until cancelled.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for entry in followed.withLock({ Array($0.values) }) {
                group.addTask { try await entry.reflector.run { change in for handler in entry.handlers { handler(change) } } }
            }
            try await group.waitForAll()
        }
    }

    /// Returns once all there is of these kinds is known.
    package func synced(_ resources: some Sequence<Resource>) async throws {
        for resource in resources { try await self[resource]?.wait { _, _ in true } }
    }
}
