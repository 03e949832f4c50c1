import Model

/// Keeps one node what it should be: looks at all its parts by the clock and whenever asked, and at once when its init has ended.
///
/// What a look finds missing is made again, and told in an event about the Node.
package actor NodeKeeper {
    /// How often all parts are looked at, and how often whether the init lives.
    package static let interval = Duration.seconds(30), pulse = Duration.seconds(1)

    /// How what could not be mended begins among what was found.
    package static let unmended = "not mended: "

    package nonisolated let name: String
    private let client: any Client
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    private let isAlive: @Sendable () -> Bool
    /// Whether what is broken is mended; else only a node whose init has ended is made again.
    private let mends: @Sendable () -> Bool
    private var parts: [any NodePart] = []
    /// What only somebody who asks has done: a Node that was deleted on purpose does not come back by the clock.
    private var register: @Sendable () async throws -> Void = {}
    private let turn = Turnstile()
    /// What was found before there was anybody to ask.
    private var untold: [String] = []

    package init(
        name: String, client: any Client, clock: any Clock<Duration> = ContinuousClock(), isAlive: @escaping @Sendable () -> Bool,
        mends: @escaping @Sendable () -> Bool = { true }, report: @escaping @Sendable (String) -> Void
    ) {
        self.mends = mends
        self.name = name
        self.client = client
        self.clock = clock
        self.isAlive = isAlive
        self.report = report
    }

    /// Adds a part; each is looked at after those that came before it.
    package func add(_ part: any NodePart) { parts.append(part) }

    /// Says how the node is registered with the API again, which every `repair` does.
    package func registers(_ body: @escaping @Sendable () async throws -> Void) { register = body }

    /// What the node's start found missing of a node that was there before.
    package func note(_ found: [String]) async {
        untold += found
        await tell(found)
    }

    private var isLookedAt: Bool { !isAlive() || mends() }

    /// Looks at every part now; what was found missing, and what could not be mended.
    package func repair() async -> [String] {
        let earlier = untold
        untold = []
        do { try await register() } catch { report("node \(name): register: \(error)") }
        return earlier + (isLookedAt ? await look() : [])
    }

    /// Follows the clock until cancelled.
    package func run() async throws {
        var waited = Duration.zero
        while true {
            try await clock.sleep(for: Self.pulse)
            waited += Self.pulse
            guard waited >= Self.interval || !isAlive() else { continue }
            if isLookedAt { _ = await look() }
            waited = .zero
        }
    }

    /// Does something to the node while no look is on its way.
    package func quietly<R: Sendable>(_ body: @Sendable () async throws -> R) async rethrows -> R {
        try await turn.withTurn { try await body() }
    }

    /// Makes all parts of a node that is not there, which is nothing to tell; what could not be made.
    package func make() async -> [String] {
        await turn.withTurn { await parts(of: { _ in }) }
    }

    /// Looks at each part; what could not be mended.
    private func parts(of found: ([String]) -> Void) async -> [String] {
        var failures: [String] = []
        for part in parts {
            do { found(try await part.repair()) } catch { failures.append("\(error)") }
        }
        return failures
    }

    private func look() async -> [String] {
        await turn.withTurn {
            // Somebody may have switched it off meanwhile.
            guard isLookedAt else { return [] }
            var found: [String] = []
            let failures = await parts { found += $0 }
            await tell(found)
            for failure in failures { report("node \(name): repair: \(failure)") }
            return found + failures.map { "\(Self.unmended)\($0)" }
        }
    }

    private func tell(_ found: [String]) async {
        guard !found.isEmpty else { return }
        report("node \(name): found: \(found.joined(separator: "; "))")
        guard let node = try? await client.find(Node.self, ObjectKey("", name)) else { return }
        let mended = found.filter { !$0.hasPrefix(Self.unmended) }, others = found.filter { $0.hasPrefix(Self.unmended) }
        for (reason, message, words) in [
            ("NetworkRepaired", "Found missing and made again: ", mended), ("NetworkBroken", "Found wrong, and ", others),
        ] where !words.isEmpty {
            await client.recordEvent(
                about: node, type: "Warning", reason: reason, message: message + Self.summary(words), component: "minik", node: name)
        }
    }

    /// What fits into an event.
    static func summary(_ found: [String]) -> String {
        let shown = 8
        let rest = found.count > shown ? " and \(found.count - shown) more" : ""
        return String(found.prefix(shown).joined(separator: "; ").prefix(900)) + rest
    }
}
