import Kubeadm
import Model
import Runtime
import Synchronization

/// One call of kubeadm's, and what it said.
struct KubeadmCall {
    let code: Int32
    let out: String
    let errors: String

    static let trace = "To see the stack trace of this error execute with --v=5 or higher"

    /// A machine of a cluster whose user is not root: nothing is done on it, for the first check of all fails.
    static let machine = {
        var cluster = Cluster()
        cluster.nodes = [
            Cluster.NodeSpec(
                name: "k8s-master", isControlPlane: true, address: IPAddress(ipv4: 0xC0A8_C880),
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 24), taints: .null, labels: [:])
        ]
        return Machine(card: MachineCard(node: cluster.nodes[0], cluster: cluster, records: "/nowhere"), isRoot: false)
    }()

    init(_ words: [String], on machine: Machine = machine) async {
        let lines = Mutex<(out: [String], errors: [String])>(([], []))
        let console = Console(
            out: { text in lines.withLock { $0.out.append(text) } }, complain: { text in lines.withLock { $0.errors.append(text) } },
            ask: { _ in nil })
        code = await KubeadmTool(machine: machine, console: console).run(words)
        let said = lines.withLock { $0 }
        (out, errors) = (said.out.joined(separator: "\n"), said.errors.joined(separator: "\n"))
    }

    init(_ line: String, on machine: Machine = machine) async { await self.init(line.split(separator: " ").map(String.init), on: machine) }
}
