import Model

/// Runs a reconciler: hears of its sources, reconciles each concerned key once however often it was named, again and later after an error.
package actor Controller {
    private let reconciler: any Reconciler
    private let informers: Informers
    private let ownsInformers: Bool
    private let client: CachedClient
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    private let queue = WorkQueue()
    private var failures: [ObjectKey: Int] = [:]
    /// Wake-ups that are set, the latest for each key.
    private var visits: [ObjectKey: Task<Void, any Error>] = [:]

    /// Shares `informers` with others; they run beside it.
    package init(
        _ reconciler: any Reconciler, informers: Informers, clock: any Clock<Duration> = TimerClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.init(reconciler, informers, owns: false, clock, report)
    }

    /// Follows for itself alone.
    package init(
        _ reconciler: any Reconciler, client: any Client, clock: any Clock<Duration> = TimerClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.init(reconciler, Informers(client: client, clock: clock, report: report), owns: true, clock, report)
    }

    private init(
        _ reconciler: any Reconciler, _ informers: Informers, owns: Bool, _ clock: any Clock<Duration>,
        _ report: @escaping @Sendable (String) -> Void
    ) {
        self.reconciler = reconciler
        self.informers = informers
        ownsInformers = owns
        client = CachedClient(informers)
        self.clock = clock
        self.report = report
        for resource in reconciler.reads { informers.follow(resource) }
        for source in reconciler.sources { informers.follow(source.resource) { [queue] in queue.add(source.keys($0, informers)) } }
    }

    /// Works until cancelled.
    package func run() async throws {
        defer { for visit in visits.values { visit.cancel() } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if ownsInformers { group.addTask { [informers] in try await informers.run() } }
            group.addTask { try await self.work() }
            try await group.waitForAll()
        }
    }

    private func work() async throws {
        // Who does not know all there is would take what it has not heard of for missing.
        try await informers.synced(reconciler.sources.map(\.resource) + reconciler.reads)
        try await queue.follow { try await look($0) }
    }

    private func look(_ key: ObjectKey) async throws {
        do {
            try await reconciler.reconcile(key, client)
            failures[key] = nil
            if let delay = try await reconciler.nextVisit(key, client) { visit(key, after: delay) }
        } catch let error as CancellationError { throw error } catch {
            let count = (failures[key] ?? 0) + 1
            failures[key] = count
            // Losing a race is how optimistic concurrency works; only what keeps failing is worth a line.
            if count == 4 { report("\(type(of: reconciler)) \(key): \(error)") }
            visit(key, after: .milliseconds(min(5 << min(count, 12), 10_000)))
        }
    }

    /// Looks at a key again later. The sleep must not block the others: it stands beside the queue, and ends with its one wake-up or with
    /// `run`.
    private func visit(_ key: ObjectKey, after delay: Duration) {
        visits[key]?.cancel()
        visits[key] = Task { [clock] in
            // A look too many does no harm, and no clock sleeps for ever.
            try await clock.sleep(for: min(delay, .seconds(86400)))
            self.revisit(key)
        }
    }

    private func revisit(_ key: ObjectKey) {
        visits[key] = nil
        queue.add([key])
    }
}
