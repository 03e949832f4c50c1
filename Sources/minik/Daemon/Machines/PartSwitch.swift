import Model

/// Something that runs while it is wanted, again when it fails.
actor PartSwitch {
    private let name: String
    private let report: @Sendable (String) -> Void
    private let body: @Sendable () async throws -> Void
    private var task: Task<Void, Never>?
    private static let pause = Duration.seconds(1)

    init(_ name: String, report: @escaping @Sendable (String) -> Void, _ body: @escaping @Sendable () async throws -> Void) {
        (self.name, self.report, self.body) = (name, report, body)
    }

    /// When this returns, what is not wanted has ended.
    func set(_ isWanted: Bool) async {
        if isWanted {
            if task == nil { task = Task { [name, report, body] in await Self.keep(name, report, body) } }
            return
        }
        guard let running = task else { return }
        task = nil
        running.cancel()
        await running.value
    }

    private static func keep(
        _ name: String, _ report: @Sendable (String) -> Void, _ body: @Sendable () async throws -> Void
    ) async {
        while !Task.isCancelled {
            do { try await body() } catch { if !Task.isCancelled { report("\(name): \(error)") } }
            // Cancelled, the sleep ends at once, and so does this.
            try? await Task.sleep(for: pause)
        }
    }
}
