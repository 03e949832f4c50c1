import Model
import Synchronization

/// Keeps the DNS server's records in step with namespaces, Services and EndpointSlices. The server reads files; it asks nobody.
///
/// What has changed since the whole was written is appended beside it, so that a change of one name costs what that name costs, however
/// many there are. When there are more changes than names the whole is written anew. Who comes back after another writes what differs
/// from what stands there.
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

    private func write(_ wakes: AsyncStream<Void>, _ wake: AsyncStream<Void>.Continuation) async throws {
        var written: DNSBook?
        for await _ in wakes {
            // Until all is known, the records stay as an earlier daemon left them.
            guard namespaces.hasSynced, services.hasSynced, slices.hasSynced else { continue }
            let took = try await clock.measure {
                do { try await write(after: &written) } catch  where !Task.isCancelled {
                    // What is written is not known any more.
                    report("\(error); trying again")
                    try await clock.sleep(for: .seconds(1))
                    wake.yield()
                }
            }
            try await clock.sleep(for: min(.milliseconds(100), max(.milliseconds(2), took)))
        }
    }

    /// Writes what is new, and nothing is known of what is written before and after an error.
    private func write(after written: inout DNSBook?) async throws {
        let names = waiting.take()
        // Taken out: with two owners, all records would be copied for each that changes.
        guard var book = written.take() else {
            written = try await begin()
            return
        }
        let changes = changes(names, &book)
        if !changes.isEmpty { try await target.append(changes, since: book.serial) }
        if book.isWholeDue { try await target.fold(book.whole()) }
        written = book
    }

    /// Brings what stands there to what is known.
    private func begin() async throws -> DNSBook {
        let known = DNSRecords.compile(
            zone: zone, namespaces: namespaces.list().map(\.metadata.name), services: services.list().map { Service($0) },
            slices: slices.list().map { EndpointSlice($0) })
        if var book = try await target.read(), book.zone == zone {
            let changes = book.become(known)
            if !changes.isEmpty { try await target.append(changes, since: book.serial) }
            return book
        }
        var book = DNSBook(known)
        try await target.write(book.whole(try await target.newSerial()))
        return book
    }

    private func changes(_ names: Waiting.Names, _ book: inout DNSBook) -> [DNSChange] {
        var changes = names.namespaces.sorted().compactMap { book.set(namespace: $0, isThere: namespaces.get(ObjectKey("", $0)) != nil) }
        for key in names.services.sorted() {
            let record = DNSRecords.record(
                key, services.get(key).map { Service($0) }, slices.list(Self.byService, "\(key)").map { EndpointSlice($0) })
            if let change = book.set(key, record) { changes.append(change) }
        }
        return changes
    }
}
