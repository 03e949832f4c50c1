import API
import ArgumentParser
import Lab

struct KubeconfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubeconfig", abstract: "Print a cluster's kubeconfig.",
        discussion: "minik kubeconfig > lab.yaml; kubectl --kubeconfig lab.yaml get pods")
    @OptionGroup var chosen: ClusterArgument

    func run() async throws { print(YAMLText.of(try Kubeconfig(paths: try chosen.options().paths()).document()), terminator: "") }
}
