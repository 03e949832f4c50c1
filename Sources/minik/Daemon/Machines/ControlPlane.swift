import API
import Controllers
import DNS
import Glibc
import Host
import Kubeadm
import Lab
import Model
import Runtime
import Store
import TLS

/// The control plane that one machine's static pods are. Each component is at work while its pod runs: the API is served while the API
/// server and etcd do, controllers and the scheduler act while theirs do, and what etcd's folder holds is what there is.
actor ControlPlane {
    nonisolated let cluster: Cluster
    nonisolated let api: APIServer
    private nonisolated let files: ControlPlaneFiles
    private nonisolated let pki: NodePKI
    private nonisolated let store: ObjectStore
    private nonisolated let daemon: Daemon
    private nonisolated let node: Cluster.NodeSpec
    private nonisolated let link: ClusterLink
    private nonisolated let keepers: [NodeKeeper]
    private nonisolated let report: @Sendable (String) -> Void

    private nonisolated var paths: ClusterPaths { daemon.paths }
    private nonisolated var namespace: String { paths.nodeNetns(node.name) }

    /// Opens the store: the one that etcd's folder on the node is about, or an empty one.
    init(
        _ files: ControlPlaneFiles, on node: Cluster.NodeSpec, of machines: Machines, domain: String, link: ClusterLink,
        keepers: [NodeKeeper],
        report: @escaping @Sendable (String) -> Void
    ) async throws {
        (self.files, self.node, self.link, self.keepers, self.report) = (files, node, link, keepers, report)
        let paths = machines.paths, root = try NodeRoot(node.name, paths: paths)
        pki = try NodePKI(files, on: root, domain: domain)
        let standard = ClusterNetworks.standard(.ipv4)
        var cluster = machines.cluster.with(
            pods: files.pods ?? standard.pods, services: files.services ?? standard.services, nodeMask: files.nodeMask)
        cluster.dnsDomain = domain
        cluster.kubernetesVersion = files.version ?? cluster.kubernetesVersion
        cluster.nodePortRange = files.nodePorts ?? cluster.nodePortRange
        self.cluster = cluster
        daemon = Daemon(cluster: cluster, paths: paths)
        store = try await EtcdFolder(path: files.data, root: root, paths: paths).open()
        api = APIServer(store: store, cluster: cluster, credentials: pki)
        try await api.loadCustomKinds()
        try await api.noteQuotas()
        try await Bootstrap(cluster: cluster, paths: paths, client: api).namespaces(api)
        try note(cluster)
    }

    /// The document says from now on what the cluster's ranges, and its domain, are: whoever explains its packets reads them there.
    private nonisolated func note(_ cluster: Cluster) throws {
        guard var stored = try paths.storedCluster() else { return }
        (stored.networks, stored.nodePortRange, stored.dnsDomain) = (cluster.networks, cluster.nodePortRange, cluster.dnsDomain)
        for index in stored.nodes.indices { stored.nodes[index].places = cluster.nodes[index].places }
        // kubeadm takes ranges that overlap, and some that are too small for the nodes; the document has to be one that can be read back.
        guard (try? Cluster(stored: stored.json)) != nil else {
            return report(
                "the Cluster document cannot say pods \(cluster.podSubnet), services \(cluster.serviceSubnet): it stays as it was")
        }
        try Files.write(stored.json.text(indented: true) + "\n", to: paths.clusterFile, mode: 0o600)
    }

    /// Follows its own pods until cancelled.
    func run() async throws {
        let parts = (
            serving: PartSwitch("API", report: report) { try await self.serve() },
            managing: PartSwitch("controllers", report: report) { try await self.manage() },
            scheduling: PartSwitch("scheduler", report: report) { [api, report] in
                try await Controller(Scheduler(), client: api, report: report).run()
            },
            storing: PartSwitch("etcd", report: report) { try await self.answerAsEtcd() }
        )
        let pods = Reflector(.pods, client: api, report: report)
        let look: () async -> Void = {
            let running = self.running(pods.list())
            let isStored = running.contains(ControlPlaneFiles.etcd), isServed = isStored && running.contains(ControlPlaneFiles.apiServer)
            await parts.storing.set(isStored)
            await parts.serving.set(isServed)
            await parts.managing.set(isServed && running.contains(ControlPlaneFiles.manager))
            await parts.scheduling.set(isServed && running.contains(ControlPlaneFiles.scheduler))
        }
        let outcome: Result<Void, any Error>
        do {
            try await pods.run { _ in
                await look()
            } listed: {
                await look()
            }
            outcome = .success(())
        } catch { outcome = .failure(error) }
        for part in [parts.scheduling, parts.managing, parts.serving, parts.storing] { await part.set(false) }
        try outcome.get()
    }

    /// The programs of the node's static pods that run.
    private nonisolated func running(_ pods: [JSON]) -> Set<String> {
        var running: Set<String> = []
        for pod in pods.map({ Pod($0) }) where StaticPod.isMirror(pod, of: node.name) && !pod.isBeingDeleted {
            for status in pod.status["containerStatuses"].items where !status["state"]["running"].isNull {
                running.insert(status["name"].string ?? "")
            }
        }
        return running
    }

    // MARK: Components

    private nonisolated func serve() async throws {
        let nodes = LocalNodes(cluster: cluster, paths: paths, client: api) { [uplinks = daemon.uplinks, node] in
            await uplinks.reaches($0, node.name)
        }
        let router = Router(
            api: api, nodes: nodes, parts: [RepairAPI { [keepers] in await Daemon.repair(keepers) }, NodePowerAPI(Self.refuse)],
            admitsBootstrapTokens: files.admitsBootstrapTokens)
        let server = HTTPServer(router), tls = try pki.serverContext()
        let place = node.address.authority(port: files.port)
        let served = ClusterLink.Served(
            cluster: cluster, node: node.name, api: api, place: place, authority: pki.caCertificate)
        defer {
            link.set(nil)
            unlink(paths.apiSocket)
        }
        let socket = try NodeSocket.listening(on: .unspecified(.ipv4), port: files.port, namespace: namespace).release()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [paths] in try await server.run(on: .unix(paths.apiSocket)) { _ in chmod(paths.apiSocket, 0o600) } }
            group.addTask { [daemon, report] in try await daemon.serveMachine(server, tls, report) {} }
            group.addTask { [link] in try await server.run(on: .socket(socket, tls)) { _ in link.set(served) } }
            group.addTask { [api, node, cluster, report, port = files.port] in
                let service = KubernetesService(
                    publicIP: node.address, port: port, serviceIP: cluster.kubernetesServiceIP, client: api, report: report)
                try await service.reconcile()
                try await service.run()
            }
            let records = try DNSRecordFiles(directory: paths.dnsRecords)
            group.addTask { [api, cluster, report] in
                try await DNSFeed(zone: cluster.dnsDomain, target: records, client: api, report: report).run()
            }
            group.addTask { [store] in
                // Watchers that hear of no change hear how far the store has come.
                while true {
                    try await Task.sleep(for: .seconds(60))
                    await store.markRevision()
                    await store.forgetHistory()
                    router.forgetLines()
                }
            }
            try await group.waitForAll()
        }
    }

    /// What a machine's kubelet ran, and where its pods were, follows from its files alone, which nothing winds up in the place of an init.
    private static func refuse(_ node: String, _ verb: NodePowerAPI.Verb) throws -> [String] {
        throw StatusError(
            409, .conflict,
            "\(node) is a machine of kubeadm's, and \(verb.rawValue) is for clusters that minik makes: "
                + "cut it off (minik link partition \(node)), or stop all machines (minik pause)")
    }

    private nonisolated func manage() async throws {
        let informers = Informers(client: api, report: report)
        let reconcilers = daemon.reconcilers(api, pki, pki.authority).filter { !($0 is Scheduler) } + joining
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reconciler in reconcilers {
                let controller = Controller(reconciler, informers: informers, report: report)
                group.addTask { try await controller.run() }
            }
            group.addTask { try await informers.run() }
            let kinds: @Sendable () -> [Resource] = { [api] in api.catalog.followed }
            group.addTask { [api, report] in try await GarbageCollector(client: api, kinds: kinds, report: report).run() }
            group.addTask { [store, report] in try await EventExpiry(store: store, report: report).run() }
            group.addTask { [self] in
                try await HealthPort().run(on: Self.loopback, port: 10257, namespace: namespace, isSecure: true)
            }
            group.addTask { [self] in
                try await HealthPort().run(on: Self.loopback, port: 10259, namespace: namespace, isSecure: true)
            }
            try await group.waitForAll()
        }
    }

    private static let loopback = IPAddress(ipv4: 0x7F00_0001)

    /// What clusters need into which machines come by themselves.
    private nonisolated var joining: [any Reconciler] {
        var reconcilers: [any Reconciler] = []
        if files.runs(["bootstrapsigner", "bootstrap-signer-controller"], isAsked: true) {
            reconcilers.append(BootstrapSigner { Digest.authentication(of: $0, key: $1) })
        }
        if files.runs(["tokencleaner", "token-cleaner-controller"], isAsked: true) { reconcilers.append(TokenCleaner()) }
        if files.allocatesNodeRanges, let pods = files.pods { reconcilers.append(NodeRanges(of: [pods], mask: files.nodeMask)) }
        return reconcilers
    }

    private nonisolated func answerAsEtcd() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (address, port, isSecure) in [
                (Self.loopback, 2381, false), (Self.loopback, 2379, true), (node.address, 2379, true), (node.address, 2380, true),
            ] {
                group.addTask { [namespace] in
                    try await HealthPort(.etcd).run(on: address, port: port, namespace: namespace, isSecure: isSecure)
                }
            }
            try await group.waitForAll()
        }
    }
}
