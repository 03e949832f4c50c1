import Model
import Store

/// Lets go of events an hour after they last happened, so that a cluster that is up for long does not fill with them.
/// (kube-apiserver --event-ttl)
package struct EventExpiry: Sendable {
    package static let age = 3600
    private static let pause = Duration.seconds(600)

    private let store: ObjectStore
    private let clock: any Clock<Duration>
    private let now: @Sendable () -> Timestamp
    private let report: @Sendable (String) -> Void

    package init(
        store: ObjectStore, clock: any Clock<Duration> = ContinuousClock(), now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.clock = clock
        self.now = now
        self.report = report
    }

    /// Looks through the events every ten minutes until cancelled.
    package func run() async throws {
        while true {
            do { try await expire() } catch { report("events of more than an hour ago: \(error); looking again in ten minutes") }
            try await clock.sleep(for: Self.pause)
        }
    }

    private func expire() async throws {
        let end = Timestamp(seconds: now().seconds - Self.age)
        for event in try await store.list(.events).items where Self.last(event).map({ $0 < end }) == true {
            do { try await store.delete(.events, event.metadata.key, expected: event.metadata.resourceVersion) } catch let error
                as StatusError
                where error.reason == .notFound || error.reason == .conflict
            {}  // it has gone, or happened again meanwhile
        }
    }

    /// When it happened last, or was first told of; nil: it does not say.
    private static func last(_ event: JSON) -> Timestamp? {
        [event["lastTimestamp"], event["series"]["lastObservedTime"], event["eventTime"], event["metadata"]["creationTimestamp"]]
            .compactMap { $0.string.flatMap(Timestamp.init) }.max()
    }
}
