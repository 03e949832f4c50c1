import DNS
import Model
import Runtime
import Synchronization

/// Keeps the DNS server's records in step with namespaces, Services and EndpointSlices. The server reads files; it asks nobody.
///
/// `records.json` is the whole; what has changed since is appended to a file beside it, so that a change of one name costs what that name
/// costs, however many there are. Now and then the whole is written anew, for servers that know nothing of changes, and the changes go.
struct DNSFeed {
    private let zone: String
    private let directory: String
    private let namespaces: Reflector
    private let services: Reflector
    private let slices: Reflector
    private let report: @Sendable (String) -> Void

    private static let byService = ObjectIndex("service") { ["\(EndpointSlice($0).serviceKey)"] }
    private static let wholeInterval = Duration.seconds(30)

    init(zone: String, directory: String, client: any Client, report: @escaping @Sendable (String) -> Void) {
        self.zone = zone
        self.directory = directory
        self.report = { report("DNS records: \($0)") }
        func reflector(_ resource: Resource, _ indexes: [ObjectIndex] = []) -> Reflector {
            Reflector(resource, client: client, indexes: indexes, report: report)
        }
        (namespaces, services, slices) = (reflector(.namespaces), reflector(.services), reflector(.endpointSlices, [Self.byService]))
    }

    /// What somebody has to look at.
    private struct Waiting: Sendable {
        var namespaces: Set<String> = []
        var services: Set<ObjectKey> = []
        var isWholeDue = false
    }

    /// Follows until cancelled.
    func run() async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let waiting = Shared<Waiting>(Waiting())
        try Files.makeDirectory(directory)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reflector in [namespaces, services, slices] {
                group.addTask {
                    try await reflector.run { change in
                        waiting.with { Self.note(change, reflector.resource, &$0) }
                        wake.yield()
                    } listed: {
                        wake.yield()
                    }
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.wholeInterval)
                    waiting.with { $0.isWholeDue = true }
                    wake.yield()
                }
            }
            group.addTask { try await write(wakes, wake, waiting) }
            try await group.waitForAll()
        }
    }

    private static func note(_ change: Reflector.Change, _ resource: Resource, _ waiting: inout Waiting) {
        switch resource {
        case .namespaces: waiting.namespaces.insert(change.key.name)
        case .services: waiting.services.insert(change.key)
        default: for slice in [change.old, change.new] { if let slice { waiting.services.insert(EndpointSlice(slice).serviceKey) } }
        }
    }

    private func write(_ wakes: AsyncStream<Void>, _ wake: AsyncStream<Void>.Continuation, _ waiting: Shared<Waiting>) async throws {
        let clock = ContinuousClock()
        var book: DNSBook?, hasChanges = false
        for await _ in wakes {
            // Until all is known, the records stay as an earlier daemon left them.
            guard namespaces.hasSynced, services.hasSynced, slices.hasSynced else { continue }
            let began = clock.now
            do {
                let taken = waiting.with { waiting in
                    defer { waiting = Waiting() }
                    return waiting
                }
                if var open = book {
                    let changes = changes(taken, &open)
                    try append(changes, open.serial)
                    book = open
                    hasChanges = hasChanges || !changes.isEmpty
                    if taken.isWholeDue, hasChanges {
                        book = try writeWhole(open)
                        hasChanges = false
                    }
                } else {
                    book = try writeWhole(nil)
                }
            } catch {
                // What is written is not known any more: all of it is, when it can be.
                book = nil
                report("\(error); trying again")
                try await clock.sleep(for: .seconds(1))
                wake.yield()
            }
            try await clock.sleep(for: max(.milliseconds(5), (clock.now - began) * 2))
        }
    }

    private func changes(_ waiting: Waiting, _ book: inout DNSBook) -> [DNSChange] {
        var changes = waiting.namespaces.sorted().compactMap { book.set(namespace: $0, isThere: namespaces.get(ObjectKey("", $0)) != nil) }
        for key in waiting.services.sorted() {
            let service = services.get(key).map { Service($0) }
            let record = service.map { DNSRecords.record($0, slices.list(Self.byService, "\(key)").map { EndpointSlice($0) }) }
            if let change = book.set(key, record) { changes.append(change) }
        }
        return changes
    }

    private func append(_ changes: [DNSChange], _ serial: Int) throws {
        if changes.isEmpty { return }
        try Files.append(changes.flatMap { $0.json.bytes() + [0x0A] }, to: "\(directory)/\(DNSChange.file(serial))")
    }

    /// Writes the whole under the next serial, and takes away the changes that are in it.
    private func writeWhole(_ open: DNSBook?) throws -> DNSBook {
        let path = "\(directory)/records.json"
        var book = open ?? DNSBook(known(after: Files.text(path).flatMap { try? JSON(parsing: $0) }?["serial"].int ?? 0))
        let records = book.whole()
        // A daemon that knew no serials may have left some.
        Files.removeTree("\(directory)/\(DNSChange.file(records.serial))")
        try Files.write(records.json.bytes(), to: path)
        for name in Files.list(directory) where name.hasPrefix("changes-") && name != DNSChange.file(records.serial) {
            Files.removeTree("\(directory)/\(name)")
        }
        return book
    }

    private func known(after serial: Int) -> DNSRecords {
        var records = DNSRecords.compile(
            zone: zone, namespaces: namespaces.list().map(\.metadata.name), services: services.list().map { Service($0) },
            slices: slices.list().map { EndpointSlice($0) })
        records.serial = serial
        return records
    }
}

/// A value that tasks share.
private final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func with<R: Sendable>(_ body: (inout Value) -> R) -> R { value.withLock { body(&$0) } }
}
