import Glibc
import Host
import Model
import Netlink

/// An emulated node's own namespaces and root, and an init that its pods live below.
package struct NodeSandbox: Sendable {
    package let node: Cluster.NodeSpec
    private let cluster: Cluster
    private let paths: ClusterPaths
    private let plugin: any NodePlugin
    private let registration: NodeRegistration?

    /// `registration`: as the machine's own files have it, where no document of minik's says what a node is.
    package init(
        node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, plugin: any NodePlugin, registration: NodeRegistration? = nil
    ) {
        self.registration = registration
        self.node = node
        self.cluster = cluster
        self.paths = paths
        self.plugin = plugin
    }

    /// The node's init as it runs now; nil when it has ended.
    package var running: ProcessIdentity? { ProcessIdentity(file: paths.nodePID(node.name)) }

    /// The node's init: the one that already runs, or a new one. Its network namespace has its name afterwards.
    package func start() async throws -> ProcessIdentity {
        if let running {
            if !hasName(running) { try nameNetwork(of: running) }
            return running
        }
        try Files.makeDirectory("\(paths.run)/nodes", mode: 0o700)
        let files = NodeFiles(node: node, cluster: cluster, paths: paths)
        try files.write(plugin.files)
        let identity = try await SmallProgram.startShim(["node", node.name, paths.nodeState(node.name)] + files.mounts().map(\.word))
        try identity.write(to: paths.nodePID(node.name))
        try Files.write(UID.random(), to: paths.nodeBoot(node.name), mode: 0o600)
        try nameNetwork(of: identity)
        return identity
    }

    /// Whether the name under /run/netns is bound to the node's namespace.
    package func hasName(_ identity: ProcessIdentity) -> Bool {
        NetworkNamespace.isBound(path: paths.nodeNetns(node.name), pid: identity.pid)
    }

    private func nameNetwork(of identity: ProcessIdentity) throws {
        NetworkNamespace.delete(path: paths.nodeNetns(node.name))
        try NetworkNamespace.bind(pid: identity.pid, path: paths.nodeNetns(node.name))
    }

    /// Its network namespace as it is while the node is off: there is nothing in it.
    func nameEmptyNetwork() throws {
        NetworkNamespace.delete(path: paths.nodeNetns(node.name))
        try NetworkNamespace.create(path: paths.nodeNetns(node.name))
    }

    /// What a machine has in memory: /run, /tmp and what its processes shared.
    func forgetMemory() {
        for name in ["run", "tmp"] { Files.removeTree("\(paths.nodeState(node.name))/\(name)") }
        Files.removeTree(paths.nodeSharedMemory(node.name))
    }

    /// As many as have an address of each family; where those are too many to count, as many as an IPv4 network of the usual size holds.
    private func mostPods() -> Int {
        if let registration { return registration.mostPods }
        return node.podCIDRs.map { $0.family == .ipv4 ? $0.size - 3 : min($0.size - 3, 253) }.min() ?? 0
    }

    private static var diskKilobytes: Int {
        var disk = statvfs()
        return statvfs(ClusterPaths.stateRoot, &disk) == 0 ? Int(disk.f_blocks) * Int(disk.f_frsize) / 1024 : 0
    }

    /// The conditions of a node that is well, or cannot connect pods; one that held before keeps its times, and those of others stay.
    package static func conditions(after old: JSON, networkTrouble: String?, now: Timestamp) -> JSON {
        var conditions = JSON.array(old.items)
        for (type, reason, message) in [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ] { conditions.setCondition(type, false, reason: reason, message: message, now: now) }
        conditions.setCondition(
            "Ready", networkTrouble == nil, reason: networkTrouble == nil ? "KubeletReady" : "KubeletNotReady",
            message: networkTrouble ?? "kubelet is posting ready status", now: now)
        let own: Set<String> = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]
        return .array(
            conditions.items.map { condition in
                var condition = condition
                if own.contains(condition["type"].string ?? "") { condition["lastHeartbeatTime"] = .string(now.description) }
                return condition
            })
    }

    /// The Node object that the node's agent registers.
    package func object(networkTrouble: String? = nil, now: Timestamp) -> JSON {
        var system = utsname()
        uname(&system)
        func text<T>(_ field: T) -> String { withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
        let architecture = text(system.machine) == "x86_64" ? "amd64" : text(system.machine) == "aarch64" ? "arm64" : text(system.machine)
        var labels = [
            "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture,
            "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": architecture,
        ]
        let isTold = registration == nil
        if node.isControlPlane, isTold {
            labels["node-role.kubernetes.io/control-plane"] = ""
            // One that is alone has to answer for everything.
            if cluster.nodes.contains(where: { !$0.isControlPlane }) { labels[LoadBalancerPlacement.excludingLabel] = "" }
        }
        labels.merge(node.labels) { _, own in own }
        if let registration { labels.merge(registration.labels) { _, own in own } }
        let osImage =
            (Files.text("/etc/os-release") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("PRETTY_NAME=") }?.dropFirst("PRETTY_NAME=".count).replacing("\"", with: "") ?? "Linux"
        let capacity: JSON = [
            "cpu": .string(String(sysconf(Int32(_SC_NPROCESSORS_ONLN)))),
            "memory": .string("\(sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / 1024)Ki"),
            "pods": .string("\(mostPods())"),
            "ephemeral-storage": .string("\(Self.diskKilobytes)Ki"), "hugepages-2Mi": "0",
        ]
        let conditions = Self.conditions(after: .null, networkTrouble: networkTrouble, now: now)
        return [
            "apiVersion": "v1", "kind": "Node",
            "metadata": [
                "name": .string(node.name), "labels": JSON(labels),
                "annotations": JSON(plugin.annotations),
            ],
            "spec": spec,
            "status": [
                "capacity": capacity, "allocatable": capacity, "conditions": conditions,
                "addresses": NodeHeartbeat.addresses(of: node),
                "nodeInfo": [
                    "architecture": .string(architecture), "kernelVersion": .string(text(system.release)), "operatingSystem": "linux",
                    "osImage": .string(String(osImage)), "kubeletVersion": .string("\(cluster.kubernetesVersion)"), "kubeProxyVersion": "",
                    "containerRuntimeVersion": .string("minik://\(Version.minik)"),
                    "machineID": .string(ShortHash.hex("\(cluster.name)/\(node.name)", digits: 32)),
                    "systemUUID": .string(ShortHash.hex("\(node.name)", digits: 32)),
                    "bootID": .string(Files.text(paths.nodeBoot(node.name)) ?? ""),
                ],
            ],
        ]
    }

    private var spec: JSON {
        func some(_ taints: [JSON]) -> JSON { taints.isEmpty ? .null : .array(taints) }
        if let registration { return ["taints": some(registration.taints)] }
        return [
            "podCIDR": .string(node.podCIDR.description), "podCIDRs": .array(node.podCIDRs.map { .string($0.description) }),
            "taints": some(node.taints.items),
        ]
    }
}
