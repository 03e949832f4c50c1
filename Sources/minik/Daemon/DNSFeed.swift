import DNS
import Model
import Runtime

/// Keeps the DNS server's records in step with namespaces, Services and EndpointSlices. The server reads the file; it asks nobody.
struct DNSFeed {
    let zone: String
    let directory: String
    let client: any Client

    func run() async throws {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try Files.makeDirectory(directory)
        try await write()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for resource in [Resource.namespaces, .services, .endpointSlices] {
                group.addTask {
                    try await untilCancelled {
                        for try await _ in try await client.watch(resource, namespace: nil, from: nil) { wake.yield() }
                    }
                }
            }
            group.addTask {
                let clock = ContinuousClock()
                for await _ in wakes {
                    // Many changes at once are one: with ten thousand Services each writing takes its time.
                    let time = try await clock.measure { try await write() }
                    try await Task.sleep(for: max(.milliseconds(5), time * 2))
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func write() async throws {
        let records = DNSRecords.compile(
            zone: zone, namespaces: try await client.list(Namespace.self).map(\.name), services: try await client.list(Service.self),
            slices: try await client.list(EndpointSlice.self))
        let bytes = records.json.bytes()
        let path = "\(directory)/records.json"
        if (try? Files.read(path)) != bytes { try Files.write(bytes, to: path) }
    }
}
