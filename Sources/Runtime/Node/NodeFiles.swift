import Glibc
import Host
import Model
import ShimProtocol

/// What a node's root is made of: a layer of the node's above the machine's root, above its other disks, too; directories of the node's
/// own where nothing of the machine's is to be seen; and those that the Cluster document opens to it.
///
///     root, work        the layer over /, and overlayfs' own directory beside it
///     disks/HASH        the same for each disk that is mounted below it
///     run, tmp, log     /run, /tmp, /var/log
///     own               /var/lib/minik: the machine's holds the clusters' keys
///     root-home, homes  /root, /home
///     nothing           what is seen of the same directory by its other names
///     merged            where the root is mounted while it is put together
///
/// All of it lies in the node's state, so it outlives the node's init and goes with the cluster.
struct NodeFiles {
    let node: Cluster.NodeSpec
    let cluster: Cluster
    let paths: ClusterPaths

    private var state: String { paths.nodeState(node.name) }
    private var own: [(name: String, target: String, mode: mode_t)] {
        [
            ("run", "/run", 0o755), ("tmp", "/tmp", 0o1777), ("log", "/var/log", 0o755), ("own", ClusterPaths.stateRoot, 0o755),
            // People's own files on the machine, their kubeconfig among them, are none of a node's.
            ("root-home", "/root", 0o700), ("homes", "/home", 0o755),
        ]
    }

    /// Makes the directories, and writes files, by their paths on the node. Nobody may have the root mounted: a layer that is in use must
    /// not change.
    func write(_ files: [String: String]) throws {
        try adoptEtc()
        for directory in ["root", "work", "merged", "log/pods", "log/containers"] { try Files.makeDirectory("\(state)/\(directory)") }
        for (name, _, mode) in own {
            try Files.makeDirectory("\(state)/\(name)")
            chmod("\(state)/\(name)", mode)
        }
        for folder in Self.hidden { try hide(folder) }
        if cluster.bootstrap == .kubeadm { try MachineTools(node: node, cluster: cluster, paths: paths).install(hiding: hide) }
        try Files.makeDirectory(paths.dnsRecords)
        let memory = paths.nodeSharedMemory(node.name)
        try Files.makeDirectory(memory)
        chmod(memory, 0o1777)
        let hosts = cluster.nodes.flatMap { node in node.addresses.map { "\($0)\t\(node.name)\n" } }.joined()
        // A machine that is in no cluster yet knows no names but its neighbours'.
        let resolvers = cluster.bootstrap == .kubeadm ? "" : cluster.networks.map { "nameserver \($0.dnsService)\n" }.joined()
        let standard = [
            "/etc/hostname": "\(node.name)\n",
            "/etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\(hosts)",
            "/etc/resolv.conf": "\(resolvers)search \(cluster.dnsDomain)\n",
        ]
        for (path, text) in standard.merging(files, uniquingKeysWith: { $1 }) {
            // A pod of before may have left a link there.
            let (layer, name) = place(of: path), root = NodeRoot(directory: layer)
            try root.remove(name)
            _ = try root.create(text, at: name)
        }
    }

    /// What is mounted into the root, in order.
    func mounts() throws -> [NodeMount] {
        let mountinfo = String(decoding: try Files.read("/proc/self/mountinfo"), as: UTF8.self)
        let found = MachineDisks.paths(mountinfo: mountinfo)
        let disks = try found.filter(Files.isDirectory).map { path -> NodeMount in
            let folder = "\(state)/disks/\(ShortHash.hex(path, digits: 16))"
            for name in ["root", "work"] { try Files.makeDirectory("\(folder)/\(name)") }
            try copyOwner(of: path, to: "\(folder)/root")
            return .disk(path: path, upper: "\(folder)/root", work: "\(folder)/work")
        }
        let folders: [NodeMount] = own.map { .folder(source: "\(state)/\($0.name)", target: $0.target, readOnly: false) }
        return try disks + hidden(mountinfo) + folders + [
            .folder(source: paths.nodeSharedMemory(node.name), target: "/dev/shm", readOnly: false),
            // The cluster's DNS reads its records from here, whatever node it is on.
            .folder(source: paths.dnsRecords, target: paths.dnsRecords, readOnly: true),
        ] + (cluster.bootstrap == .kubeadm ? [MachineTools.mount] : []) + extra()
    }

    /// The state of clusters by its other names: where it is mounted a second time, or a link leads to.
    private func hidden(_ mountinfo: String) throws -> [NodeMount] {
        let real = realpath(ClusterPaths.stateRoot, nil).map { name in
            defer { free(name) }
            return String(cString: name)
        }
        let place = real ?? ClusterPaths.stateRoot, links = place == ClusterPaths.stateRoot ? [] : [place]
        let paths = (MachineDisks.aliases(of: place, mountinfo: mountinfo) + links).filter(Files.isDirectory)
        if !paths.isEmpty { try Files.makeDirectory("\(state)/nothing") }
        return paths.map { .folder(source: "\(state)/nothing", target: $0, readOnly: true) }
    }

    private func extra() -> [NodeMount] {
        // One below another comes after it.
        (cluster.extraMounts + node.extraMounts).sorted { $0.nodePath < $1.nodePath }.map {
            .folder(source: $0.hostPath, target: $0.nodePath, readOnly: $0.isReadOnly)
        }
    }

    /// Where a file of the node's is written before its root is there: a directory of this machine, and the path below it.
    private func place(of path: String) -> (layer: String, name: String) {
        for (name, target, _) in own where path.hasPrefix("\(target)/") {
            return ("\(state)/\(name)", String(path.dropFirst(target.count)))
        }
        return ("\(state)/root", path)
    }

    /// What a container engine of the machine keeps for its own networks is none of a node's.
    private static let hidden = ["/etc/cni/net.d", "/var/lib/cni"]

    /// A directory of the node's own, empty as it begins, over the machine's. (Documentation/filesystems/overlayfs, "whiteouts and opaque
    /// directories")
    private func hide(_ folder: String) throws {
        let (layer, name) = place(of: folder), path = layer + name
        if Files.exists(path) { return }
        try Files.makeDirectory(path)
        try Mounts.makeOpaque(path)
    }

    /// A disk's own directory is the upper layer's as soon as there is one.
    private func copyOwner(of path: String, to upper: String) throws {
        var info = stat()
        guard stat(path, &info) == 0, chown(upper, info.st_uid, info.st_gid) == 0, chmod(upper, info.st_mode & 0o7777) == 0 else {
            throw FileError("make a layer over", path, errno: errno)
        }
    }

    /// Earlier versions kept a layer over /etc alone.
    private func adoptEtc() throws {
        let old = "\(state)/etc", new = "\(state)/root/etc"
        guard Files.isDirectory(old), !Files.exists(new) else { return }
        try Files.makeDirectory("\(state)/root")
        guard rename(old, new) == 0 else { throw FileError("rename to", new, errno: errno) }
    }
}
