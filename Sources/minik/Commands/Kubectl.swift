import ArgumentParser
import Glibc
import Host
import Lab
import Model
import Runtime

/// On a node, where the machine has no kubectl: minik's commands about objects, under its name, with its kubeconfig.
struct Kubectl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubectl", abstract: "minik's client of an API: what it has of kubectl's commands.",
        discussion: "Where to is said by $KUBECONFIG, else ~/.kube/config.",
        subcommands: [Get.self, Describe.self, Apply.self, Delete.self, Run.self, Exec.self, Logs.self, Label.self, Scale.self])

    static let isCalled = OwnName.text == "kubectl"

    static func kubeconfig() throws -> String {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        let path = variable("KUBECONFIG") ?? "\(variable("HOME") ?? "/root")/.kube/config"
        guard Files.exists(path) else {
            throw UserError(
                "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
                hint: "there is no \(path): mkdir -p $HOME/.kube; cp /etc/kubernetes/admin.conf $HOME/.kube/config")
        }
        return path
    }

    /// All that is known of the cluster from here.
    static var cluster: Cluster {
        var cluster = Cluster()
        cluster.kubernetesVersion = MachineCard()?.version ?? .current
        return cluster
    }
}
