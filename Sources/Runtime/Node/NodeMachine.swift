import Host
import Model

/// One node as a machine with a switch: its agent runs while it does. What is asked of it is done one thing after the other.
package actor NodeMachine {
    package nonisolated let ground: NodeGround
    package nonisolated let keeper: NodeKeeper
    private let paths: ClusterPaths
    private let power: NodePower
    private let isHome: Bool
    private let turn = Turnstile()
    /// Whether all of it stands that its agent needs.
    private var isOn: Bool
    private var agent: NodeAgent?
    private var life: Task<Void, any Error>?
    /// The pods that the last agent ran.
    private var pods: [Pod] = []
    private let (switches, switched) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    package nonisolated var name: String { ground.spec.name }

    /// `isHome`: the cluster's API is on it and nowhere else.
    package init(ground: NodeGround, keeper: NodeKeeper, isHome: Bool, paths: ClusterPaths) {
        (self.ground, self.keeper, self.isHome, self.paths) = (ground, keeper, isHome, paths)
        power = NodePower(ground.spec.name, paths)
        isOn = power.state == .running
    }

    package struct Refusal: Error, CustomStringConvertible {
        package let description: String
    }

    // MARK: Its agent

    /// Follows the switch until cancelled: an agent that `make` gives runs while the node does.
    package func run(_ make: @escaping @Sendable (ProcessIdentity) async throws -> NodeAgent) async throws {
        var switches = switches.makeAsyncIterator()
        while true {
            try Task.checkCancellation()
            guard isOn else {
                await switches.next(isolation: self)
                continue
            }
            let agent = try await make(try await ground.process)
            // It may have been switched off meanwhile.
            guard isOn else { continue }
            let life = Task { [pods] in try await agent.run(after: pods) }
            (self.agent, self.life) = (agent, life)
            let outcome = await withTaskCancellationHandler {
                await life.result
            } onCancel: {
                life.cancel()
            }
            pods = await agent.pods()
            (self.agent, self.life) = (nil, nil)
            // Ended by nobody's hand: whatever it was is the daemon's trouble.
            if isOn { try outcome.get() }
        }
    }

    /// Has the agent know which init its pods are born below.
    package func turn(to process: ProcessIdentity) async throws { try await agent?.turn(to: process) }

    package func register() async throws { try await agent?.register() }

    private func endAgent() async {
        isOn = false
        life?.cancel()
        while life != nil {
            _ = await life?.result
            await Task.yield()
        }
    }

    // MARK: The switch

    private func goOn() {
        isOn = true
        switched.yield()
    }

    private func require(_ allowed: NodePower.State..., else hint: String = "") throws {
        let state = power.state
        guard allowed.contains(state) else { throw Refusal(description: "node \(name) is \(state.rawValue)\(hint)") }
    }

    private func requireOther() throws {
        guard isHome else { return }
        throw Refusal(
            description: "the API is on \(name) and nowhere else: it would be gone, and nobody there to bring it back; "
                + "cut the node off (minik link partition \(name)), or stop the whole cluster (minik pause)")
    }

    /// The plug is pulled: nothing of it is wound up.
    package func stop() async throws { try await turn.withTurn { try await cut() } }

    private func cut() async throws {
        try requireOther()
        try require(.running, .paused)
        let wasPaused = power.state == .paused
        // Nobody mends it from here on.
        try power.set(.stopped)
        await endAgent()
        try await keeper.quietly { [ground] in try await ground.cutPower() }
        // What comes to its control group later is to run.
        if wasPaused { try ClusterFreezer(paths, node: name).thaw(but: []) }
    }

    /// It boots. Returns what could not be made.
    package func start() async throws -> [String] { try await turn.withTurn { try await boot() } }

    private func boot() async throws -> [String] {
        try require(.stopped, else: power.state == .paused ? "; let it go on: minik node unpause \(name)" : "")
        try power.set(.running)
        let problems = await keeper.make()
        do { _ = try await ground.process } catch {
            try power.set(.stopped)
            throw Refusal(description: "node \(name) does not boot: \(problems.joined(separator: "; "))")
        }
        goOn()
        return problems
    }

    package func restart() async throws -> [String] {
        try await turn.withTurn {
            if power.state != .stopped { try await cut() }
            return try await boot()
        }
    }

    /// Everything on it stands still, and its link is dead.
    package func pause() async throws {
        try await turn.withTurn {
            try requireOther()
            try require(.running)
            try power.set(.paused)
            await endAgent()
            do {
                try await keeper.quietly { [ground, power, freezer = ClusterFreezer(paths, node: name)] in
                    try power.set(.paused, stood: try await SmallProgram.blocking { try freezer.freeze() })
                    try await ground.plug()
                }
            } catch {
                try power.set(.running)
                goOn()
                throw error
            }
        }
    }

    package func unpause() async throws {
        try await turn.withTurn {
            try require(.paused)
            let freezer = ClusterFreezer(paths, node: name), stood = power.stood
            try await SmallProgram.blocking { try freezer.thaw(but: stood) }
            try power.set(.running)
            try await keeper.quietly { [ground] in try await ground.plug() }
            goOn()
        }
    }
}
