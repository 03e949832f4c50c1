import API
import Controllers
import DNS
import Glibc
import Host
import Images
import Lab
import Model
import Proxy
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
    let uplinks: NodeUplinks

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
            for reconciler in reconcilers(api, pki, pki.authority) + own(balancers) {
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
            if cluster.internet { try await runWayOut(nodes, report, &group) }
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

    /// What a cluster has besides where minik is all of it: its nodes' ranges are the document's, and so are its balancers' addresses.
    private func own(_ balancers: BalancerAddresses) -> [any Reconciler] {
        [
            LoadBalancerReconciler(cluster: cluster, announcer: balancers),
            NodeRanges(
                of: cluster.networks.map(\.pods), kept: Dictionary(cluster.nodes.map { ($0.name, $0.podCIDRs) }) { first, _ in first }),
        ]
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
            NodeLifecycle(grace: .seconds(cluster.nodeMonitorGracePeriod)), NodeTTL(),
            PodGarbageCollector(),
            TaintEviction(), DisruptionReconciler(), GatewayClassReconciler(), GatewayReconciler(cluster: cluster),
            QuotaReconciler(counted: namespaced), CustomResourceCleanup(),
            Self.certificates(api, authority),
            TokenReconciler(authority: pki.caCertificate, sign: { try SecretToken.sign(for: $0, in: $1, by: pki) }),
        ]
    }
}

/// Calls something once, after a number of things have happened.
actor Countdown {
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
