import Glibc
import Host
import Model
import Netlink

/// What a node stands on: its init, its plug in the LAN, its network. All of it is made again when it is gone. Of a node that is switched
/// off there is a network namespace with nothing in it.
package actor NodeGround: NodePart {
    private let executor = QueueExecutor("node")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package nonisolated let spec: Cluster.NodeSpec
    package nonisolated let plugin: any NodePlugin
    private let sandbox: NodeSandbox
    private let lan: NodeLAN
    private let paths: ClusterPaths
    /// nil: it is switched off.
    private var identity: ProcessIdentity?
    /// Called when the node has another network namespace than before.
    private var moved: [@Sendable () async throws -> Void] = []

    /// Makes what is missing. Also told is what was missing, of a node that was there before; the network of such a one is left as it is
    /// unless `mends`: what is broken there is to be.
    package static func start(
        _ spec: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, lan: NodeLAN, mends: Bool = true
    ) async throws -> (NodeGround, found: [String]) {
        let plugin = NodePlugins.plugin(for: spec, of: cluster, paths: paths)
        let sandbox = NodeSandbox(node: spec, cluster: cluster, paths: paths, plugin: plugin)
        if NodePower(spec.name, paths).state == .stopped {
            try sandbox.nameEmptyNetwork()
            return (NodeGround(spec: spec, paths: paths, sandbox: sandbox, lan: lan, plugin: plugin, identity: nil), [])
        }
        let wasRunning = sandbox.running != nil
        let identity = try await sandbox.start()
        var found = try lan.attach(spec)
        if !wasRunning || mends { found += try await plugin.setUp() }
        let ground = NodeGround(spec: spec, paths: paths, sandbox: sandbox, lan: lan, plugin: plugin, identity: identity)
        return (ground, wasRunning ? found : [])
    }

    private init(
        spec: Cluster.NodeSpec, paths: ClusterPaths, sandbox: NodeSandbox, lan: NodeLAN, plugin: any NodePlugin, identity: ProcessIdentity?
    ) {
        self.paths = paths
        self.spec = spec
        self.sandbox = sandbox
        self.lan = lan
        self.plugin = plugin
        self.identity = identity
    }

    package var process: ProcessIdentity {
        get throws {
            guard let identity else { throw NodeAgent.InitEnded(node: spec.name) }
            return identity
        }
    }

    package nonisolated var isAlive: Bool { sandbox.running != nil }

    /// Calls `body` whenever the node has got another network namespace.
    package func whenMoved(_ body: @escaping @Sendable () async throws -> Void) { moved.append(body) }

    package func repair() async throws -> [String] {
        var found = try lan.repair()
        let hadName = identity.map(sandbox.hasName) ?? false
        let now = try await sandbox.start()
        if now != identity {
            found = ["the node's init had ended, its pods begin anew"]
            _ = try lan.attach(spec)
            await plugin.moved()
            _ = try await plugin.setUp()
            for body in moved { try await body() }
            identity = now
            return found
        }
        if !hadName { found.append("name of the network namespace") }
        return found + (try lan.attach(spec)) + (try await plugin.setUp())
    }

    // MARK: The switch

    /// What becomes of a machine whose power fails: every process ends at once, its plug is dead, and what it had in memory is gone.
    func cutPower() async throws {
        let processes = ClusterProcess.all(paths, of: spec.name).map(\.identity)
        for process in processes { process.signal(SIGKILL) }
        // One that is about to end has no arguments any more to be found by, and no namespaces: who looked again would not wait for it.
        for process in processes { _ = process.awaitEnd(milliseconds: 5000) }
        try lan.unplug(spec.name)
        try sandbox.nameEmptyNetwork()
        identity = nil
        await plugin.moved()
        for body in moved { try await body() }
        sandbox.forgetMemory()
    }

    /// Has the node's plug be what it is to be by now.
    func plug() throws { _ = try lan.attach(spec) }
}
