import DNS
import Model
import Runtime

/// Keeps the DNS server's records in step with namespaces, Services and EndpointSlices. The server reads the file; it asks nobody.
struct DNSFeed {
    private let zone: String
    private let directory: String
    private let namespaces: Reflector
    private let services: Reflector
    private let slices: Reflector
    private let report: @Sendable (String) -> Void

    init(zone: String, directory: String, client: any Client, report: @escaping @Sendable (String) -> Void) {
        self.zone = zone
        self.directory = directory
        self.report = { report("DNS records: \($0)") }
        func reflector(_ resource: Resource) -> Reflector { Reflector(resource, client: client, report: report) }
        (namespaces, services, slices) = (reflector(.namespaces), reflector(.services), reflector(.endpointSlices))
    }

    /// Follows until cancelled.
    func run() async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try Files.makeDirectory(directory)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reflector in [namespaces, services, slices] {
                group.addTask {
                    try await reflector.run { _ in
                        wake.yield()
                    } listed: {
                        wake.yield()
                    }
                }
            }
            group.addTask {
                let clock = ContinuousClock()
                for await _ in wakes {
                    // Many changes at once are one: with ten thousand Services each writing takes its time.
                    let began = clock.now
                    do { try write() } catch {
                        report("\(error); trying again")
                        try await clock.sleep(for: .seconds(1))
                        wake.yield()
                    }
                    try await clock.sleep(for: max(.milliseconds(5), (clock.now - began) * 2))
                }
            }
            try await group.waitForAll()
        }
    }

    /// Until all is known, the records stay as an earlier daemon left them.
    private func write() throws {
        guard namespaces.hasSynced, services.hasSynced, slices.hasSynced else { return }
        let records = DNSRecords.compile(
            zone: zone, namespaces: namespaces.list().map(\.metadata.name), services: services.list().map { Service($0) },
            slices: slices.list().map { EndpointSlice($0) })
        let bytes = records.json.bytes(), path = "\(directory)/records.json"
        if try !Files.exists(path) || Files.read(path) != bytes { try Files.write(bytes, to: path) }
    }
}
