import Model

/// Brings one kind of object to the state it asks for. A reconciler gets a name, never an event: it reads what is, compares
/// with what should be, and writes the difference; running it again changes nothing.
package protocol Reconciler: Sendable {
    /// What to look at, and which objects of ours a change there concerns.
    var sources: [Source] { get }
    func reconcile(_ key: ObjectKey, _ client: any Client) async throws
    /// After what time to look again though nothing has changed; nil: not before something does.
    func nextVisit(_ key: ObjectKey, _ client: any Client) async -> Duration?
}

extension Reconciler {
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async -> Duration? { nil }
}

package struct Source: Sendable {
    let resource: Resource
    /// The keys to reconcile for a changed object. May ask the client, for relations that only the other side knows.
    let keys: @Sendable (WatchEvent, any Client) async -> [ObjectKey]

    package init(_ resource: Resource, _ keys: @escaping @Sendable (WatchEvent, any Client) async -> [ObjectKey]) {
        self.resource = resource
        self.keys = keys
    }

    /// The object itself.
    package static func own(_ resource: Resource) -> Source {
        Source(resource) { event, _ in
            [ObjectKey(event.object["metadata"]["namespace"].string ?? "", event.object["metadata"]["name"].string ?? "")]
        }
    }

    /// The object of kind `kind` that manages the changed one.
    package static func owner(_ resource: Resource, kind: String) -> Source {
        Source(resource) { event, _ in
            event.object["metadata"]["ownerReferences"].items
                .filter { $0["kind"].string == kind && $0["controller"].bool == true }
                .map { ObjectKey(event.object["metadata"]["namespace"].string ?? "", $0["name"].string ?? "") }
        }
    }
}

/// Runs a reconciler: watches its sources, reconciles each concerned key once however many events named it, again and later
/// after an error.
package actor Controller {
    private let reconciler: any Reconciler
    private let client: any Client
    private let report: @Sendable (String) -> Void
    private var pending: [ObjectKey] = []
    /// How far `pending` is worked off, and what of it still waits.
    private var head = 0
    private var waiting: Set<ObjectKey> = []
    private var failures: [ObjectKey: Int] = [:]
    /// Wake-ups that are set, the latest for each key.
    private var visits: [ObjectKey: Task<Void, any Error>] = [:]
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    package init(_ reconciler: any Reconciler, client: any Client, report: @escaping @Sendable (String) -> Void) {
        self.reconciler = reconciler
        self.client = client
        self.report = report
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for source in reconciler.sources { group.addTask { try await self.follow(source) } }
            group.addTask { for await _ in self.wakes { await self.drain() } }
            try await group.next()
            group.cancelAll()
        }
    }

    private nonisolated func follow(_ source: Source) async throws {
        while !Task.isCancelled {
            do {
                for try await event in try await client.watch(source.resource, namespace: nil, from: nil) where event.kind != .bookmark {
                    await enqueue(await source.keys(event, client))
                }
                return
            } catch let error as StatusError where error.reason == .expired { continue }  // fell behind: start from what there is
        }
    }

    private func enqueue(_ keys: [ObjectKey]) {
        for key in keys where waiting.insert(key).inserted { pending.append(key) }
        if !keys.isEmpty { wake.yield() }
    }

    private func drain() async {
        while head < pending.count {
            let key = pending[head]
            head += 1
            waiting.remove(key)
            if head == pending.count || head > 4096 {
                pending.removeFirst(head)
                head = 0
            }
            do {
                try await reconciler.reconcile(key, client)
                failures[key] = nil
                if let delay = await reconciler.nextVisit(key, client) { visit(key, after: delay) }
            } catch is CancellationError { return } catch {
                let count = (failures[key] ?? 0) + 1
                failures[key] = count
                // Losing a race is how optimistic concurrency works; only what keeps failing is worth a line.
                if count == 4 { report("\(type(of: reconciler)) \(key): \(error)") }
                let delay = Duration.milliseconds(min(5 << min(count, 12), 10_000))
                visit(key, after: delay)
            }
        }
    }

    /// Looks at a key again later. The sleep must not block the others: it stands beside the queue and ends with its one wake-up.
    private func visit(_ key: ObjectKey, after delay: Duration) {
        visits[key]?.cancel()
        let again = self
        visits[key] = Task {
            // A look too many does no harm, and no clock sleeps for ever.
            try await Task.sleep(for: min(delay, .seconds(86400)))
            await again.revisit(key)
        }
    }

    private func revisit(_ key: ObjectKey) {
        visits[key] = nil
        enqueue([key])
    }
}
