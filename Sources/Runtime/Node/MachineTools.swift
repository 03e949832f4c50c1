import Glibc
import Host
import Model
import ShimProtocol

/// What a machine that is to be joined to a cluster has: kubeadm, nothing of any cluster, and a word about itself.
struct MachineTools {
    private static let folder = "/opt/minik"
    /// A program of minik's acts by the name that it is called by. Where the machine has a kubectl, that is the node's.
    private static var tools: [String] {
        let hasClient = ["/usr/local/bin", "/usr/bin", "/bin"].contains { Files.exists("\($0)/kubectl") }
        return ["kubeadm"] + (hasClient ? [] : ["kubectl"])
    }

    let node: Cluster.NodeSpec
    let cluster: Cluster
    let paths: ClusterPaths

    private var state: String { paths.nodeState(node.name) }

    /// Where minik itself lies, as the node sees it.
    static var mount: NodeMount {
        let program = SmallProgram.path("minik")
        return .folder(
            source: String(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex)), target: folder, readOnly: true)
    }

    /// `hiding`: what of a cluster the machine below is in is none of the node's.
    func install(hiding hide: (String) throws -> Void) throws {
        for folder in ["/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd"] { try hide(folder) }
        try Files.makeDirectory("\(state)/root/etc/kubernetes/manifests", mode: 0o700)
        try Files.makeDirectory("\(state)/root/usr/local/bin")
        for tool in Self.tools {
            let link = "\(state)/root/usr/local/bin/\(tool)"
            if Files.isLink(link) { continue }
            guard symlink("\(Self.folder)/minik", link) == 0 else { throw FileError("link", link, errno: errno) }
        }
        try Files.write(MachineCard(node: node, cluster: cluster, records: paths.dnsRecords).json.bytes(), to: state + MachineCard.path)
    }
}

/// What a machine's own tools know of it.
package struct MachineCard: Sendable {
    package static let path = "/run/minik-machine.json"
    /// Where the node's kubelet is started and stopped, as systemd would.
    package static let door = "/run/minik-kubelet.sock"

    package let name: String
    package let address: String
    /// The release whose packages are installed.
    package let version: KubernetesVersion
    /// Where the cluster's names are found on every node.
    package let records: String

    package init(node: Cluster.NodeSpec, cluster: Cluster, records: String) {
        (name, address, version, self.records) = (node.name, node.address.description, cluster.kubernetesVersion, records)
    }

    var json: JSON {
        ["name": .string(name), "address": .string(address), "version": .string("\(version)"), "records": .string(records)]
    }

    /// That of the machine that this runs on; nil where it is none of a cluster's.
    package init?(root: String = "") {
        guard let text = Files.text(root + Self.path), let json = try? JSON(parsing: text), let name = json["name"].string,
            let address = json["address"].string, let version = json["version"].string.flatMap({ KubernetesVersion($0) }),
            let records = json["records"].string
        else { return nil }
        (self.name, self.address, self.version, self.records) = (name, address, version, records)
    }
}
