import API
import Controllers
import DNS
import Glibc
import Host
import Images
import Lab
import Model
import Netlink
import Proxy
import Rules
import Runtime
import Store
import TLS

/// One cluster's process: API, controllers, and an agent for each node. Started again it takes over what it finds.
struct Daemon {
    let cluster: Cluster
    let paths: ClusterPaths
    let serviceParts: [IPFamily: SharedServiceParts]
    /// What was loaded or pulled comes before minik's own of the same name.
    let images: ImageSources
    /// One for all nodes, which have one store.
    let puller: ImagePuller
    let lan: NodeLAN
    private let uplinks: NodeUplinks

    init(cluster: Cluster, paths: ClusterPaths) {
        self.cluster = cluster
        self.paths = paths
        serviceParts = Dictionary(uniqueKeysWithValues: cluster.families.map { ($0, SharedServiceParts()) })
        let machine = MachineImages()
        let own: [any ImageSource] = cluster.bootstrap == .kubeadm ? [ControlPlaneImages(), DNSImage()] : [DNSImage()]
        images = ImageSources([machine.store, machine.lookAlikes] + own)
        // As the document says it when an image is asked for: `up` may have changed it.
        puller = ImagePuller(machine.service { try paths.storedCluster()?.registries ?? [] })
        let lan = NodeLAN(cluster: cluster, paths: paths) { Self.link(of: $0, cluster, paths) }
        self.lan = lan
        uplinks = NodeUplinks(home: cluster.controlPlane.name) { try lan.connected() }
    }

    /// Runs until cancelled. `ready` is called once every node is registered and the API answers.
    func run(ready: @escaping @Sendable () -> Void) async throws {
        let stored = ClusterStore(paths: paths)
        let store = try await stored.open()
        let pki = try ClusterPKI(cluster: cluster, directory: paths.pki)
        let api = APIServer(store: store, cluster: cluster, credentials: pki)
        try await api.loadCustomKinds()
        try await api.noteQuotas()
        try await Bootstrap(cluster: cluster, paths: paths, client: api).namespaces(api)

        try Teardown.shareNetns()
        _ = try lan.repair()
        let report: @Sendable (String) -> Void = { [cluster] in Systemd.log($0, priority: LOG_WARNING, cluster: cluster.name) }

        try await withThrowingTaskGroup(of: Void.self) { group in
            let parts = countdown(then: ready)
            let informers = Informers(client: api, report: report)
            let shown = try await api.list(Service.self).filter(Cluster.balances).flatMap(\.balancerAddresses)
            let balancers = BalancerAddresses(cluster: cluster, paths: paths, shown: Set(shown), report: report)
            for reconciler in reconcilers(api, pki, pki.authority) + [LoadBalancerReconciler(cluster: cluster, announcer: balancers)] {
                let controller = Controller(reconciler, informers: informers, report: report)
                group.addTask { try await controller.run() }
            }
            group.addTask { try await informers.run() }
            let kinds: @Sendable () -> [Resource] = { api.catalog.followed }
            group.addTask { try await GarbageCollector(client: api, kinds: kinds, report: report).run() }
            group.addTask { try await EventExpiry(store: store, report: report).run() }
            let records = try DNSRecordFiles(directory: paths.dnsRecords)
            group.addTask { try await DNSFeed(zone: cluster.dnsDomain, target: records, client: api, report: report).run() }
            let forwarder = NameForwarder(path: "\(paths.dnsRecords)/forward.sock") { [paths] in
                // A document that cannot be read names nobody; `status` says what is wrong with it.
                ((try? paths.storedCluster()) ?? nil)?.forward.compactMap { Cluster.Resolver($0) } ?? []
            }
            group.addTask { try await forwarder.run() }
            let nodes = try await startNodes(api, report)
            for problem in Leftovers(cluster: cluster, paths: paths).remove(keeping: try await api.list(Pod.self)) { report(problem) }
            for node in nodes {
                try await run(node, api, parts, report, &group)
                await node.keeper.add(NodePartFunction { try await balancers.repair(node.spec.name) })
            }
            try serve(api, store, pki, nodes, parts, report, &group)
            let service = KubernetesService(
                publicIP: cluster.controlPlane.address, serviceIP: cluster.kubernetesServiceIP, client: api, report: report)
            try await service.reconcile()
            group.addTask { try await service.run() }
            try await AddOns(cluster, paths).ensure(api)
            group.addTask { try await stored.copy(store, report: report) }
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

    /// Of what has to be there before the daemon has taken over.
    private func countdown(then ready: @escaping @Sendable () -> Void) -> Countdown {
        Countdown(cluster.nodes.count * cluster.families.count * 2 + 3) { [uplinks] in
            Task { await uplinks.settle() }
            ready()
        }
    }

    /// The API on its three ways in: the daemon's own socket, this machine's loopback, and the control plane's node.
    private func serve(
        _ api: APIServer, _ store: ObjectStore, _ pki: ClusterPKI, _ nodes: [StartedNode], _ parts: Countdown,
        _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) throws {
        let home = cluster.controlPlane
        let machines = nodes.map(\.machine)
        let directory = LocalNodes(cluster: cluster, paths: paths, client: api) { [uplinks] in await uplinks.reachesHome($0) }
        let map = mapDoor(api, store, report, &group)
        let router = Router(
            api: api, nodes: directory,
            parts: [
                RepairAPI { await Self.repair(machines.map(\.keeper)) }, NodePowerAPI { try await machines.perform($1, on: $0) },
                MapAPI(map),
            ])
        let server = HTTPServer(router)
        let count: @Sendable () -> Void = { Task { await parts.count() } }
        group.addTask { [paths] in
            try await server.run(on: .unix(paths.apiSocket)) { _ in
                chmod(paths.apiSocket, 0o600)
                count()
            }
        }
        let tls = try pki.serverContext()
        group.addTask { [paths] in
            let kept = Files.text(paths.apiPort).flatMap { Int($0.trimmed) }
            let keep: @Sendable (Int?) -> Void = { port in
                if let port, port != kept { try? Files.write("\(port)\n", to: paths.apiPort, mode: 0o600) }
                count()
            }
            do { try await server.run(on: .tcp(host: "127.0.0.1", port: kept ?? 0, tls), ready: keep) } catch {
                guard kept != nil, !Task.isCancelled else { throw error }
                report(
                    "127.0.0.1:\(kept ?? 0) is taken (\(error)); the API moves to another port: run minik up again to renew the kubeconfig")
                try await server.run(on: .tcp(host: "127.0.0.1", port: 0, tls), ready: keep)
            }
        }
        if let ground = nodes.first(where: { $0.spec == home })?.machine.ground {
            group.addTask { try await serve(server, inside: ground, tls, ready: count) }
        }
        group.addTask {
            // Watchers that hear of no change hear how far the store has come.
            while true {
                try await Task.sleep(for: .seconds(60))
                await store.markRevision()
            }
        }
        group.addTask {
            // What the daemon needed for a while goes back to the machine.
            while true {
                try await Task.sleep(for: .seconds(20))
                await store.forgetHistory()
                router.forgetLines()
                OwnProcess.trimMemory()
            }
        }
    }

    /// The map's page, which is there once somebody asks for it, and looks at nothing until somebody looks at it.
    private func mapDoor(
        _ api: APIServer, _ store: ObjectStore, _ report: @escaping @Sendable (String) -> Void,
        _ group: inout ThrowingTaskGroup<Void, any Error>
    ) -> MapDoor {
        let threads = RequestThreads(count: 1)
        let feed = MapFeed(
            cluster: cluster, client: api, threads: threads,
            past: { [cluster] in try await MapPast(store: store, cluster: cluster).moments() },
            eyes: { [cluster, paths] in MapEyes(paths: paths, cluster: cluster) })
        let door = MapDoor(file: paths.mapAddress, feed: feed, threads: threads, report: report)
        group.addTask { try await feed.run(report: report) }
        group.addTask { try await door.run() }
        return door
    }

    /// The API on the control plane's node, again whenever that has got another network namespace.
    private func serve(_ server: HTTPServer, inside ground: NodeGround, _ tls: TLSContext, ready: @escaping @Sendable () -> Void)
        async throws
    {
        let home = cluster.controlPlane, namespace = paths.nodeNetns(home.name)
        let (moves, moved) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await ground.whenMoved { moved.yield() }
        var next = moves.makeAsyncIterator()
        repeat {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for address in home.addresses {
                    let socket = try NodeSocket.listening(on: address, port: Cluster.apiPort, namespace: namespace).release()
                    group.addTask { try await server.run(on: .socket(socket, tls)) { _ in if address == home.address { ready() } } }
                }
                await next.next(isolation: nil)
                group.cancelAll()
            }
        } while !Task.isCancelled
    }

    func reconcilers(_ api: APIServer, _ pki: any Credentials, _ authority: CertificateAuthority) -> [any Reconciler] {
        let namespaced = Registry.kinds.filter { $0.resource.namespaced && $0.storage == nil }.map(\.resource)
        let disks = NodeVolumes(nodes: cluster.nodes.map(\.name), paths: paths)
        return [
            NamespaceReconciler(
                watched: namespaced, contents: { api.catalog.kinds.filter { $0.resource.namespaced && $0.storage == nil }.map(\.resource) },
                furnish: { try await api.furnish($0) }),
            DeploymentReconciler(), ReplicaSetReconciler(), ReplicaSetReconciler(.replicationControllers), DaemonSetReconciler(),
            StatefulSetReconciler(), ClaimBinder(), VolumeKeeper(disks: disks), LocalProvisioner(disks: disks), ClaimProtection(),
            VolumeProtection(), EphemeralClaims(),
            JobReconciler(), CronJobReconciler(), EndpointsReconciler(), Scheduler(),
            NodeLifecycle(grace: .seconds(cluster.nodeMonitorGracePeriod)), PodGarbageCollector(),
            TaintEviction(), DisruptionReconciler(), GatewayClassReconciler(), GatewayReconciler(cluster: cluster),
            QuotaReconciler(counted: namespaced), CustomResourceCleanup(),
            Self.certificates(api, authority),
            TokenReconciler(authority: pki.caCertificate, sign: { try SecretToken.sign(for: $0, in: $1, by: pki) }),
        ]
    }

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
                    let (ground, found) = try await NodeGround.start(spec, cluster: cluster, paths: paths, lan: lan)
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
    private static func link(of node: String, _ cluster: Cluster, _ paths: ClusterPaths) -> Cluster.NodeLink {
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

    private func run(
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
