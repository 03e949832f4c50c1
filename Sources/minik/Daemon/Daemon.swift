import API
import Controllers
import DNS
import Glibc
import Model
import Netlink
import Proxy
import Rules
import Runtime
import Store

/// One cluster's process: API, controllers, and an agent for each node. Started again it takes over what it finds.
struct Daemon {
    let cluster: Cluster
    let paths: ClusterPaths

    /// Runs until cancelled. `ready` is called once every node is registered and the API answers.
    func run(ready: @escaping @Sendable () -> Void) async throws {
        let store = try ObjectStore(journal: SQLiteJournal(path: paths.store))
        let api = APIServer(store: store, cluster: cluster)
        try await Bootstrap(cluster: cluster, paths: paths, client: api).namespaces()

        let lan = NodeLAN(cluster: cluster, paths: paths)
        _ = try lan.setUp()
        let report: @Sendable (String) -> Void = { [cluster] in Systemd.log($0, priority: LOG_WARNING, cluster: cluster.name) }

        try await withThrowingTaskGroup(of: Void.self) { group in
            let parts = Countdown(cluster.nodes.count * 2 + 1, then: ready)
            for reconciler in reconcilers() {
                group.addTask { try await Controller(reconciler, client: api, report: report).run() }
            }
            group.addTask { try await DNSFeed(zone: cluster.dnsDomain, directory: paths.dnsRecords, client: api).run() }
            let nodes = try await startNodes(lan)
            for node in nodes { try await run(node, api, parts, report, &group) }
            group.addTask { [paths] in
                let router = Router(api: api, streams: StreamBridge(paths: paths))
                try await HTTPServer(router: router).run(path: paths.apiSocket) {
                    chmod(paths.apiSocket, 0o600)
                    Task { await parts.count() }
                }
            }
            try await Bootstrap(cluster: cluster, paths: paths, client: api).addOns()
            if let interval = Systemd.watchdogInterval {
                group.addTask {
                    // A store that answers is what makes the daemon alive.
                    while !Task.isCancelled {
                        _ = await store.revision
                        Systemd.notify("WATCHDOG=1")
                        try await Task.sleep(for: interval)
                    }
                }
            }
            while try await group.next() != nil {}  // the first part that fails ends all
        }
    }

    private func reconcilers() -> [any Reconciler] {
        let namespaced = Registry.kinds.map(\.resource).filter(\.namespaced)
        return [
            NamespaceReconciler(contents: namespaced), DeploymentReconciler(), ReplicaSetReconciler(), EndpointsReconciler(), Scheduler(),
            GarbageCollector(owners: [.deployments, .replicaSets, .services], dependents: [.replicaSets, .pods, .endpointSlices, .endpoints]),
        ]
    }

    private struct StartedNode: Sendable {
        let spec: Cluster.NodeSpec
        let identity: ProcessIdentity
        let network: NodeNetwork
        let rulesets: KernelRulesets
    }

    /// Starts every node's sandbox at once, then its network.
    private func startNodes(_ lan: NodeLAN) async throws -> [StartedNode] {
        try await withThrowingTaskGroup(of: StartedNode.self) { group in
            for spec in cluster.nodes {
                group.addTask { [cluster, paths] in
                    let identity = try await NodeSandbox(node: spec, cluster: cluster, paths: paths).start()
                    try lan.attach(spec)
                    let network = try NodeNetwork(node: spec, cluster: cluster, paths: paths)
                    try await network.setUp()
                    let rulesets = try KernelRulesets(namespace: paths.nodeNetns(spec.name))
                    return StartedNode(spec: spec, identity: identity, network: network, rulesets: rulesets)
                }
            }
            var nodes: [StartedNode] = []
            for try await node in group { nodes.append(node) }
            return nodes
        }
    }

    private func run(
        _ node: StartedNode, _ api: APIServer, _ parts: Countdown, _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        let view = NodeView(node.spec, of: cluster)
        try await TableSync(table: FlannelMasquerade.table, target: node.rulesets).apply(FlannelMasquerade.compile(view))

        let services = ServiceProxy(node: view, client: api, target: node.rulesets, report: report)
        group.addTask { try await services.run { Task { await parts.count() } } }

        let policies = PolicyProxy(
            node: view, client: api, target: node.rulesets, connections: try KernelConnections(namespace: paths.nodeNetns(node.spec.name)), report: report)
        let isEnforced = cluster.plugin != .flannel
        if isEnforced {
            group.addTask { try await policies.run { Task { await parts.count() } } }
        } else {
            await parts.count()
        }
        let hooks = AgentHooks(
            admit: { pod, address in if isEnforced { try await policies.admit(pod, address: address) } },
            release: { key in if isEnforced { await policies.release(key) } }, report: report)
        let agent = NodeAgent(
            node: node.spec, cluster: cluster, paths: paths, client: api, network: node.network, images: ImageStore(), identity: node.identity,
            hooks: hooks)
        group.addTask { try await agent.run() }
    }
}

/// Calls something once, after a number of things have happened.
private actor Countdown {
    private var remaining: Int
    private let then: @Sendable () -> Void

    init(_ count: Int, then: @escaping @Sendable () -> Void) {
        remaining = count
        self.then = then
    }

    func count() {
        remaining -= 1
        if remaining == 0 { then() }
    }
}
