import Model

/// Has something looked at again whenever the API tells of a change, and by the clock in between.
struct LabWatch {
    let client: any Client

    /// What labs are about.
    private static let watched: [Resource] = [
        .pods, .services, .networkPolicies, .endpointSlices, .deployments, .configMaps, .namespaces, .nodes,
    ]
    /// What the API does not tell of, such as a link's state, is looked for as often.
    private static let interval = Duration.milliseconds(700), settling = Duration.milliseconds(60)

    /// Until `body` is content or `patience` is over; what it made last. Nothing is judged less than once.
    func until<T: Sendable>(patience: Duration, _ body: @escaping @Sendable () async throws -> (value: T, isContent: Bool)) async throws
        -> T
    {
        let first = try await body()
        if first.isContent { return first.value }
        let deadline = ContinuousClock.now + patience
        guard patience > .zero else { return first.value }
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        return try await withThrowingTaskGroup(of: T?.self) { group in
            for resource in Self.watched {
                group.addTask { [client] in
                    while !Task.isCancelled {
                        do {
                            for try await _ in try await client.watch(resource, namespace: nil, from: nil) { signal.yield() }
                        } catch {}
                        // A watch that ends says nothing of the objects; if nobody answers any more, `body` will tell.
                        try await Task.sleep(for: Self.interval)
                    }
                    return nil
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: Self.interval)
                    signal.yield()
                }
            }
            group.addTask {
                var last = first.value
                for await _ in signals {
                    let now = try await body()
                    last = now.value
                    if now.isContent || ContinuousClock.now >= deadline { break }
                    try await Task.sleep(for: Self.settling)
                }
                return last
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() { if let ended { return ended } }
            return first.value
        }
    }
}
