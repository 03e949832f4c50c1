import Host
import Model

/// Where everything of one cluster lies. Durable state under /var/lib/minik, run-time state under /run/minik, names of
/// network namespaces under /run/netns.
package struct ClusterPaths: Sendable, Hashable {
    package static let stateRoot = "/var/lib/minik"
    package static let runRoot = "/run/minik"
    package static let netns = "/run/netns"
    package static let images = "\(stateRoot)/images"
    package static let clusters = "\(stateRoot)/clusters"

    package let cluster: String
    /// The directory that all of it lies below: the machine's root, but in a test.
    private let root: String

    /// `cluster`: a name, as `Cluster.isName` has it. Whole trees are removed by these paths, so nothing else gets as far as this.
    package init(cluster: String, below root: String = "") {
        precondition(Cluster.isName(cluster), "\"\(cluster)\" names no cluster")
        self.cluster = cluster
        self.root = root
    }

    package var state: String { "\(root)\(Self.clusters)/\(cluster)" }
    package var run: String { "\(root)\(Self.runRoot)/\(cluster)" }
    package var apiSocket: String { "\(run)/api.sock" }
    package var daemonPID: String { "\(run)/daemon.pid" }
    /// What a cluster's secrets will miss on this machine; nil when nothing.
    package static var shortcoming: String? {
        Files.isInMemory("/run")
            ? nil : "/run is not in memory here: the secrets that pods mount lie on this machine's disk while they run; mount a tmpfs there"
    }
    package var lock: String { "\(run)/lock" }
    /// Beside the cluster, for it says who makes and removes one.
    package var commandLock: String { "\(root)\(Self.stateRoot)/\(cluster).lock" }
    package var clusterFile: String { "\(state)/cluster.json" }
    package var store: String { "\(state)/store.db" }
    /// How far the store has come; gone with the machine's next start, as all that runs is.
    package var storeMark: String { "\(run)/store-revision" }
    package var pki: String { "\(state)/pki" }
    /// The port of the API on this machine's loopback, kept so that a kubeconfig outlives the daemon.
    package var apiPort: String { "\(state)/api-port" }
    /// Port and token of the map's page, kept for the same.
    package var mapAddress: String { "\(state)/map" }
    package var daemonLog: String { "\(state)/daemon.log" }
    package var dnsRecords: String { "\(state)/dns" }

    package var faults: String { "\(state)/faults.json" }

    package func nodeState(_ node: String) -> String { "\(state)/nodes/\(node)" }
    package func nodePID(_ node: String) -> String { "\(run)/nodes/\(node).pid" }
    /// What tells one life of its init from the next, as /proc/sys/kernel/random/boot_id does of a machine.
    package func nodeBoot(_ node: String) -> String { "\(run)/nodes/\(node).boot" }
    package func nodePower(_ node: String) -> String { "\(run)/nodes/\(node).power" }
    /// Of the pods in the node's IPC namespace.
    package func nodeSharedMemory(_ node: String) -> String { "\(run)/nodes/\(node).shm" }
    package var podRuns: String { "\(run)/pods" }
    /// Layers of mount points, which containers share.
    package var mountPoints: String { "\(run)/mountpoints" }
    package func podRun(_ uid: String) -> String { "\(podRuns)/\(uid)" }
    package func shimSocket(_ uid: String) -> String { "\(podRun(uid))/shim.sock" }
    package func podState(_ uid: String) -> String { "\(state)/pods/\(uid)" }
    /// As the kubelet names it: /var/log/pods/NAMESPACE_NAME_UID, on the pod's node.
    package func podLogs(_ pod: Pod, node: String) -> String { "\(nodeState(node))/log/pods/\(Self.logs(of: pod))" }
    static func logs(of pod: Pod) -> String { "\(pod.namespace)_\(pod.name)_\(pod.uid)" }
    /// Where log shippers look: links to the logs of the node's containers.
    func containerLogs(node: String) -> String { "\(nodeState(node))/log/containers" }

    // No Kubernetes name holds an underscore, so these never meet.
    package func nodeNetns(_ node: String) -> String { "\(Self.netns)/\(cluster)_\(node)" }
    package func podNetns(_ key: ObjectKey) -> String { "\(Self.netns)/\(cluster)_\(key.namespace)_\(key.name)" }
    package var lanNetns: String { "\(Self.netns)/\(cluster)__lan" }
    package var outsideNetns: String { "\(Self.netns)/\(cluster)__outside" }
    /// The namespace of the outside client: this machine's own, unless its network overlaps the nodes'.
    package var outside: String { Files.exists(outsideNetns) ? outsideNetns : "/proc/self/ns/net" }
    /// Everything under /run/netns that is this cluster's.
    package var netnsPrefix: String { "\(cluster)_" }
    /// The host's one link: its end of the node LAN. The kernel's names end at 15 bytes, a cluster's may be longer.
    package var hostLink: String { link("mk-") }
    /// Its second with `internet: true`, which packets leave by.
    package var internetLink: String { link("mi-") }
    private func link(_ prefix: String) -> String {
        cluster.utf8.count <= 12 ? "\(prefix)\(cluster)" : "\(prefix)\(cluster.prefix(4))\(ShortHash.hex(cluster, digits: 8))"
    }
    /// What minik has changed of this machine to be a way out, and for which clusters.
    package var internet: String { "\(root)\(Self.stateRoot)/internet" }
}
