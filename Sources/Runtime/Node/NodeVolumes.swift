import CHost
import Glibc
import Host
import Model

/// The directories of volumes that are made on demand: /var/lib/minik/volumes on each node, in the node's state on this machine. They
/// outlive the node's init, the daemon and the machine's next start, and go with the cluster.
///
/// What lies in a node's directories may have been put there by one of its pods: no link in them is followed.
package actor NodeVolumes: VolumeDisks {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// A volume may hold more than is deleted in a moment.
    private let executor = QueueExecutor("volumes")
    private let nodes: [String]
    private let paths: ClusterPaths
    private static let folder = "volumes"

    package init(nodes: [String], paths: ClusterPaths) {
        self.nodes = nodes
        self.paths = paths
    }

    struct UnknownNode: Error, CustomStringConvertible {
        let node: String
        var description: String { "node \"\(node)\" is none of this cluster's" }
    }

    package nonisolated func path(of volume: String) -> String { "\(ClusterPaths.stateRoot)/\(Self.folder)/\(volume)" }

    package func make(_ volume: String, on node: String) throws {
        guard nodes.contains(node) else { throw UnknownNode(node: node) }
        let place = "\(Self.folder)/\(volume)"
        let root = try own(node)
        let made = try Descriptor(Descriptor.result(host_make_beneath(root.number, place)), "make the volume's directory", place)
        // Whoever a container runs as writes there, as with rancher's local-path-provisioner and minikube's.
        guard chmod("/proc/self/fd/\(made.number)", 0o777) == 0 else { throw FileError("open to everybody", place, errno: errno) }
    }

    package func delete(_ volume: PersistentVolume) throws {
        for node in nodes {
            let root = try own(node)
            let found = Descriptor.result(openat(root.number, Self.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
            if found == -ENOENT { continue }
            let volumes = try Descriptor(found, "open", Self.folder)
            let place = "/proc/self/fd/\(volumes.number)/\(volume.name)"
            Files.removeTree(place)
            if Files.exists(place) { throw FileError("delete the volume's directory", path(of: volume.name), errno: EBUSY) }
        }
    }

    /// The node's own /var/lib/minik, as it lies on this machine.
    private static func own(_ node: String, _ paths: ClusterPaths) -> String { "\(paths.nodeState(node))/own" }

    private func own(_ node: String) throws(FileError) -> Descriptor {
        try Descriptor(opening: Self.own(node, paths), O_RDONLY | O_DIRECTORY)
    }

    /// The claims whose volumes are said to have been made here, and have no directory on any node.
    package static func lost(_ volumes: [PersistentVolume], nodes: [Cluster.NodeSpec], _ paths: ClusterPaths) -> [ObjectKey] {
        volumes.filter { volume in
            volume.provisioner == StorageClass.localProvisioner && volume.phase == "Bound"
                && !nodes.contains { Files.isDirectory("\(own($0.name, paths))/\(folder)/\(volume.name)") }
        }.compactMap(\.claimKey).sorted { $0.description < $1.description }
    }
}
