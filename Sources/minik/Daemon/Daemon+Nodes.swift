import API
import Host
import Lab
import Model
import Netlink
import Proxy
import Rules
import Runtime

extension Daemon {
    /// A node whose sandbox stands, with what its parts work on.
    struct StartedNode: Sendable {
        let machine: NodeMachine
        let rulesets: KernelRulesets
        /// The API as what makes the node's tables has it, and as its agent has it.
        let tables: any Client
        let client: any Client
        var ground: NodeGround { machine.ground }
        var keeper: NodeKeeper { machine.keeper }
        var spec: Cluster.NodeSpec { ground.spec }
    }

    /// Starts every node's sandbox at once, then its network.
    func startNodes(_ api: any Client, _ report: @escaping @Sendable (String) -> Void) async throws -> [StartedNode] {
        try await withThrowingTaskGroup(of: StartedNode.self) { group in
            for spec in cluster.nodes {
                group.addTask { [cluster, paths, lan, uplinks] in
                    let power = NodePower(spec.name, paths)
                    let (ground, found) = try await NodeGround.start(
                        spec, cluster: cluster, paths: paths, lan: lan, mends: Self.mends(paths))
                    let keeper = NodeKeeper(
                        name: spec.name, client: api, isAlive: { ground.isAlive || power.state != .running },
                        mends: { power.state == .running && Self.mends(paths) }, report: report)
                    let rulesets = try KernelRulesets(namespace: paths.nodeNetns(spec.name))
                    await ground.whenMoved {
                        try await rulesets.reopen()
                    }
                    await keeper.add(ground)
                    await keeper.note(found)
                    let machine = NodeMachine(ground: ground, keeper: keeper, isHome: spec == cluster.controlPlane, paths: paths)
                    let place = "\(cluster.controlPlane.address):\(Cluster.apiPort)"
                    return StartedNode(
                        machine: machine, rulesets: rulesets,
                        tables: DistantClient(api, at: place) { await uplinks.follows(spec.name) },
                        client: DistantClient(api, at: place) { await uplinks.reachesHome(spec.name) })
                }
            }
            var nodes: [StartedNode] = []
            for try await node in group { nodes.append(node) }
            return nodes
        }
    }

    /// As the document says it now; a node that stands still sends and gets nothing.
    static func link(of node: String, _ cluster: Cluster, _ paths: ClusterPaths) -> Cluster.NodeLink {
        // One that cannot be read is as it was when the daemon began.
        var link = (((try? paths.storedCluster()) ?? nil) ?? cluster).link(of: node)
        if NodePower(node, paths).state == .paused { link.isPartitioned = true }
        return link
    }

    /// As the document says it now, unless somebody has broken something on purpose. One that cannot be read wants what all want.
    private static func mends(_ paths: ClusterPaths) -> Bool {
        if InjectedFaults(paths).isSome { return false }
        guard let document = try? paths.storedCluster() else { return true }
        return document.repair == .automatic
    }

    /// Looks at all nodes now.
    static func repair(_ keepers: [NodeKeeper]) async -> [String: [String]] {
        await withTaskGroup(of: (String, [String]).self) { group in
            for keeper in keepers { group.addTask { (keeper.name, await keeper.repair()) } }
            return await group.reduce(into: [:]) { found, node in found[node.0] = node.1.isEmpty ? nil : node.1 }
        }
    }

    func run(
        _ node: StartedNode, _ api: APIServer, _ parts: Countdown, _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        let views = NodeView.views(node.spec, of: cluster), machine = node.machine, keeper = machine.keeper
        for view in views {
            for table in PluginTables.keepers(view, of: cluster, target: node.rulesets, report: report) {
                try await table.sync()
                group.addTask { try await table.run() }
                await keeper.add(TablePart(table))
            }
        }
        let links = cluster.plugin.hasBridge ? [try await runLinks(node, api, report, &group)] : []
        var guards: [any PodGuard] = []
        for view in views { guards += try await runProxies(node, view, api, parts, report, &group) }
        guards += links
        let files = StaticPodSource(
            node: node.spec.name, client: node.client,
            files: { [paths] in
                guard NodePower(node.spec.name, paths).state == .running else { return [:] }
                return try NodeRoot(node.spec.name, paths: paths).texts(in: StaticPodSource.folder)
            },
            read: { text, file in try Manifest.read(text, file: file).map(\.json) }, report: report)
        group.addTask { try await files.run() }
        // Pods come last: what they stand behind holds before they do.
        await keeper.add(
            NodePartFunction {
                try await machine.turn(to: machine.ground.process)
                return try await machine.ground.plugin.check()
            })
        await keeper.registers { try await machine.register() }
        group.addTask { try await keeper.run() }
        group.addTask { [guards] in try await machine.run { agent(of: node, on: $0, guards, report) } }
    }

    /// A node's agent for one life of the node.
    private func agent(
        of node: StartedNode, on process: ProcessIdentity, _ guards: [any PodGuard], _ report: @escaping @Sendable (String) -> Void
    ) -> NodeAgent {
        let plugin = node.ground.plugin
        let sandbox = NodeSandbox(node: node.spec, cluster: cluster, paths: paths, plugin: plugin)
        return NodeAgent(
            node: node.spec, cluster: cluster, paths: paths, client: node.client, network: plugin, guards: guards,
            sandboxes: ShimSandboxes(paths: paths), images: images, puller: puller, identity: process,
            isReached: { [uplinks] in await uplinks.reachesHome(node.spec.name) },
            object: { sandbox.object(networkTrouble: $0, now: $1) }, report: report)
    }

    /// What may cross the bridge that pods are plugged into.
    private func runLinks(
        _ node: StartedNode, _ api: APIServer, _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> any PodGuard {
        let links = PodLinkProxy(
            node: node.spec.name, families: cluster.families, link: { [plugin = node.ground.plugin] in plugin.link(of: $0, $1) },
            target: node.rulesets, report: report)
        try await links.start(try await api.list(Pod.self))
        group.addTask { try await links.run() }
        await node.keeper.add(TablePart(links.keeper))
        return links
    }

    /// Services, policies and host ports of one family. Returns what a pod needs of them before it starts, in order.
    private func runProxies(
        _ node: StartedNode, _ view: NodeView, _ api: APIServer, _ parts: Countdown,
        _ report: @escaping @Sendable (String) -> Void, _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> [any PodGuard] {
        var guards: [any PodGuard] = []
        let connections = try KernelConnections(namespace: paths.nodeNetns(node.spec.name), view.family)
        await node.ground.whenMoved { try await connections.reopen() }
        let health = HealthCheckPorts(node: view, paths: paths, client: node.tables, report: report)
        await node.ground.whenMoved { await health.reopen() }
        let services = ServiceProxy(
            node: view, client: node.tables, target: node.rulesets, connections: connections,
            shared: serviceParts[view.family] ?? SharedServiceParts(), health: health, report: report)
        // Whoever writes a Service does not wait for what the nodes make of it.
        group.addTask(priority: .utility) { try await services.run { Task { await parts.count() } } }
        await node.keeper.add(TablePart(services.keeper))

        if cluster.plugin.enforcesPolicies {
            let policies = PolicyProxy(node: view, client: node.tables, target: node.rulesets, connections: connections, report: report)
            group.addTask { try await policies.run { Task { await parts.count() } } }
            await node.keeper.add(TablePart(policies.keeper))
            guards.append(policies)
        } else {
            await parts.count()
        }
        guard cluster.plugin.isBuiltIn else { return guards }
        let hostPorts = HostPortProxy(node: view, client: node.tables, target: node.rulesets, connections: connections, report: report)
        try await hostPorts.start()
        group.addTask { try await hostPorts.run() }
        await node.keeper.add(TablePart(hostPorts.keeper))
        return guards + [hostPorts]
    }
}
