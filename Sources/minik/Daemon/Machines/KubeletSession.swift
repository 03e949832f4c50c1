import API
import Host
import Kubeadm
import Model
import Netlink
import Proxy
import Runtime
import YAML

/// What a kubelet does from its start to its end: finds out which cluster it is of, and whether its machine is to be the control plane,
/// and runs the node's pods.
struct KubeletSession: Sendable {
    static let configuration = KubeletOptions.configuration
    private static let kubeconfig = "/etc/kubernetes/kubelet.conf", authorityKey = "/etc/kubernetes/pki/ca.key"
    private static let pause = Duration.milliseconds(100)

    let node: Daemon.StartedNode
    let machines: Machines
    let link: ClusterLink
    let keepers: [NodeKeeper]
    let report: @Sendable (String) -> Void

    private var paths: ClusterPaths { machines.paths }

    struct Unconfigured: Error, CustomStringConvertible {
        let file: String
        var description: String {
            "failed to load kubelet config file, error: failed to load Kubelet config file \(file): open \(file): no such file or directory"
        }
    }

    func run() async throws {
        let root = try NodeRoot(node.spec.name, paths: paths)
        guard let text = root.text(Self.configuration) else { throw Unconfigured(file: Self.configuration) }
        let options = try KubeletOptions(configuration: text, environment: root.text(KubeletOptions.environment))
        for setting in options.unfollowed { report("node \(node.spec.name): kubelet: \(setting) has no effect") }
        let namespace = paths.nodeNetns(node.spec.name), loopback = IPAddress(ipv4: 0x7F00_0001)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await HealthPort().run(on: loopback, port: 10248, namespace: namespace, isSecure: false) }
            group.addTask {
                try await HealthPort().run(on: .unspecified(.ipv4), port: 10250, namespace: namespace, isSecure: true)
            }
            group.addTask { try await work(root, options) }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Waits until it is known to a cluster, then works for that.
    private func work(_ root: NodeRoot, _ options: KubeletOptions) async throws {
        let access = try await awaited { try root.text(Self.kubeconfig).map { try KubeletAccess($0, file: Self.kubeconfig) } }
        if try root.type(of: Self.authorityKey) != nil {
            let files = try await awaited { try ControlPlaneFiles(on: root) }
            let plane = try await ControlPlane(
                files, on: node.spec, of: machines, domain: options.domain ?? Cluster.standardDomain, link: link, keepers: keepers,
                report: report)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await plane.run() }
                group.addTask { try await work(plane.cluster, plane.api, options) }
                try await group.next()
                group.cancelAll()
            }
        } else {
            let client = NodeClient(
                link: link, place: access.place, authority: access.authority, socket: HTTPClient(socketPath: paths.apiSocket))
            let served = try await awaited { link.served }
            // One whose link is cut has no API.
            let reaches: @Sendable () async -> Bool = { [uplinks = machines.daemon.uplinks, node = node.spec.name] in
                await uplinks.reaches(node, served.node)
            }
            try await work(served.cluster, DistantClient(client, at: access.place, isReached: reaches), options, isReached: reaches)
        }
    }

    private func awaited<T: Sendable>(_ look: @Sendable () throws -> T?) async throws -> T {
        while true {
            if let found = try look() { return found }
            try await Task.sleep(for: Self.pause)
        }
    }

    private func work(
        _ cluster: Cluster, _ client: any Client, _ options: KubeletOptions,
        isReached: @escaping @Sendable () async -> Bool = { true }
    ) async throws {
        var cluster = cluster
        cluster.dnsDomain = options.domain ?? cluster.dnsDomain
        cluster.nameServers = options.nameServers
        guard let spec = cluster.nodes.first(where: { $0.name == node.spec.name }) else { return }
        let plugin = node.ground.plugin
        let sandbox = NodeSandbox(node: spec, cluster: cluster, paths: paths, plugin: plugin, registration: options.registration)
        let agent = NodeAgent(
            node: spec, cluster: cluster, paths: paths, client: client, network: plugin, guards: [],
            sandboxes: ShimSandboxes(paths: paths), images: machines.daemon.images, puller: machines.daemon.puller,
            identity: try await node.ground.process, isReached: isReached,
            object: { sandbox.object(networkTrouble: $0, now: $1) }, report: report)
        let files = StaticPodSource(
            node: spec.name, client: client,
            files: { [paths] in try NodeRoot(spec.name, paths: paths).texts(in: StaticPodSource.folder) },
            read: { text, file in try Manifest.read(text, file: file).map(\.json) }, report: report)
        // What static pods belong to is there before they are looked for.
        do { try await agent.register() } catch  where !Task.isCancelled { report("node \(node.spec.name): kubelet: \(error)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await registered(agent) }
            group.addTask { try await files.run() }
            group.addTask { [cluster] in try await proxied(spec, cluster, client) }
            try await group.next()
            group.cancelAll()
        }
    }

    /// A kubelet that cannot register tries again, and does not end.
    private func registered(_ agent: NodeAgent) async throws {
        var told = ""
        while true {
            do { return try await agent.run() } catch {
                try Task.checkCancellation()
                if told != "\(error)" { report("node \(node.spec.name): kubelet: \(error)") }
                told = "\(error)"
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Services lead somewhere while a pod of kube-proxy's runs here.
    private func proxied(_ spec: Cluster.NodeSpec, _ cluster: Cluster, _ client: any Client) async throws {
        let proxy = PartSwitch("node \(node.spec.name): kube-proxy", report: report) {
            guard let view = NodeView.views(spec, of: cluster).first else { return }
            let services = ServiceProxy(
                node: view, client: client, target: node.rulesets,
                connections: try KernelConnections(namespace: paths.nodeNetns(spec.name), view.family),
                health: HealthCheckPorts(node: view, paths: paths, client: client, report: report), report: report)
            try await services.run {}
        }
        let pods = Reflector(.pods, client: client, report: report)
        let look: () async -> Void = {
            let isRunning = pods.list(namespace: "kube-system").map { Pod($0) }.contains { pod in
                pod.nodeName == spec.name && pod.labels["k8s-app"] == "kube-proxy"
                    && pod.status["containerStatuses"].items.contains { !$0["state"]["running"].isNull }
            }
            await proxy.set(isRunning)
        }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(
                try await pods.run { _ in
                    await look()
                } listed: {
                    await look()
                })
        } catch { outcome = .failure(error) }
        await proxy.set(false)
        try outcome.get()
    }
}

/// What a kubelet's kubeconfig leads to.
private struct KubeletAccess {
    /// HOST:PORT
    let place: String
    /// PEM.
    let authority: String

    struct Unreadable: Error, CustomStringConvertible {
        let file: String
        var description: String { "\(file) names no server and no authority" }
    }

    init(_ text: String, file: String) throws {
        let cluster = try YAMLReader.documents(text, file: file, keepsLines: false).first?.json["clusters"][0]["cluster"] ?? .null
        guard let server = cluster["server"].string, server.hasPrefix("https://"),
            let bytes = cluster["certificate-authority-data"].string.flatMap({ Base64.decode($0) })
        else { throw Unreadable(file: file) }
        place = String(server.dropFirst("https://".count))
        authority = String(decoding: bytes, as: UTF8.self)
    }
}
