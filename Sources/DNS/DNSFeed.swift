import Model
import Synchronization

/// Keeps the DNS server's records in step with namespaces, Services and EndpointSlices. The server reads files; it asks nobody.
///
/// What has changed since the whole was written is appended beside it, so that a change of one name costs what that name costs, however
/// many there are. Now and then the whole is written anew, for servers that know nothing of changes, and the changes go.
package struct DNSFeed: Sendable {
    private let zone: String
    private let target: any RecordTarget
    private let clock: any Clock<Duration>
    private let namespaces: Reflector
    private let services: Reflector
    private let slices: Reflector
    private let waiting = Waiting()
    private let report: @Sendable (String) -> Void

    private static let byService = ObjectIndex("service") { ["\(EndpointSlice($0).serviceKey)"] }
    package static let wholeInterval = Duration.seconds(30)

    package init(
        zone: String, target: any RecordTarget, client: any Client, clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.zone = zone
        self.target = target
        self.clock = clock
        self.report = { report("DNS records: \($0)") }
        func reflector(_ resource: Resource, _ indexes: [ObjectIndex] = []) -> Reflector {
            Reflector(resource, client: client, indexes: indexes, clock: clock, report: report)
        }
        (namespaces, services, slices) = (reflector(.namespaces), reflector(.services), reflector(.endpointSlices, [Self.byService]))
    }

    /// What somebody has to look at: each name once, however often it has changed.
    private final class Waiting: Sendable {
        struct Names: Sendable {
            var namespaces: Set<String> = []
            var services: Set<ObjectKey> = []
            var isWholeDue = false
        }

        private let names = Mutex(Names())

        func add(_ change: (inout Names) -> Void) { names.withLock { change(&$0) } }

        func take() -> Names {
            names.withLock { names in
                defer { names = Names() }
                return names
            }
        }
    }

    /// Follows until cancelled.
    package func run() async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reflector in [namespaces, services, slices] {
                group.addTask {
                    try await reflector.run { change in
                        waiting.add { Self.note(change, reflector.resource, &$0) }
                        wake.yield()
                    } listed: {
                        wake.yield()
                    }
                }
            }
            group.addTask {
                while true {
                    try await clock.sleep(for: Self.wholeInterval)
                    waiting.add { $0.isWholeDue = true }
                    wake.yield()
                }
            }
            group.addTask { try await write(wakes, wake) }
            try await group.waitForAll()
        }
    }

    private static func note(_ change: Reflector.Change, _ resource: Resource, _ names: inout Waiting.Names) {
        switch resource {
        case .namespaces: names.namespaces.insert(change.key.name)
        case .services: names.services.insert(change.key)
        default: for slice in [change.old, change.new] { if let slice { names.services.insert(EndpointSlice(slice).serviceKey) } }
        }
    }

    /// What has been written, and whether changes stand beside the whole.
    private struct Written {
        var book: DNSBook
        var hasChanges = false
    }

    private func write(_ wakes: AsyncStream<Void>, _ wake: AsyncStream<Void>.Continuation) async throws {
        var written: Written?
        for await _ in wakes {
            // Until all is known, the records stay as an earlier daemon left them.
            guard namespaces.hasSynced, services.hasSynced, slices.hasSynced else { continue }
            let took = try await clock.measure {
                do { try await write(after: &written) } catch  where !Task.isCancelled {
                    // What is written is not known any more: all of it is, when it can be.
                    report("\(error); trying again")
                    try await clock.sleep(for: .seconds(1))
                    wake.yield()
                }
            }
            try await clock.sleep(for: max(.milliseconds(5), took * 2))
        }
    }

    /// Writes what is new; the whole when it is due, or nothing is known of what is written. Nothing is, after an error.
    private func write(after written: inout Written?) async throws {
        let names = waiting.take()
        // Taken out: with two owners, all records would be copied for each that changes.
        guard var now = written.take() else {
            var book = DNSBook(known(after: try await target.serial()))
            try await target.write(book.whole())
            written = Written(book: book)
            return
        }
        let changes = changes(names, &now.book)
        if !changes.isEmpty { try await target.append(changes, since: now.book.serial) }
        now.hasChanges = now.hasChanges || !changes.isEmpty
        if names.isWholeDue, now.hasChanges {
            try await target.write(now.book.whole())
            now.hasChanges = false
        }
        written = now
    }

    private func changes(_ names: Waiting.Names, _ book: inout DNSBook) -> [DNSChange] {
        var changes = names.namespaces.sorted().compactMap { book.set(namespace: $0, isThere: namespaces.get(ObjectKey("", $0)) != nil) }
        for key in names.services.sorted() {
            let service = services.get(key).map { Service($0) }
            let record = service.map { DNSRecords.record($0, slices.list(Self.byService, "\(key)").map { EndpointSlice($0) }) }
            if let change = book.set(key, record) { changes.append(change) }
        }
        return changes
    }

    private func known(after serial: Int) -> DNSRecords {
        var records = DNSRecords.compile(
            zone: zone, namespaces: namespaces.list().map(\.metadata.name), services: services.list().map { Service($0) },
            slices: slices.list().map { EndpointSlice($0) })
        records.serial = serial
        return records
    }
}
