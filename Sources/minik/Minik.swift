import Agents
import ArgumentParser
import Glibc
import Host
import Kubeadm
import Model
import Runtime

@main
enum Main {
    static func main() async {
        // Whoever reads our output through a pipe sees each line as it comes, as with `get -w`.
        OwnProcess.bufferLines()
        if OwnName.text == "kubeadm" { Glibc.exit(await KubeadmTool().run(Array(CommandLine.arguments.dropFirst()))) }
        let arguments = CommandLine.arguments
        if let program = arguments.first.flatMap(NamedPrograms.program) {
            do {
                let call = ProgramCall(arguments: Array(arguments.dropFirst()), environment: try OwnProcess.environment())
                exit(await program.init(call).run())
            } catch { Minik.exit(withError: error) }
        }
        do {
            var command = try Kubectl.isCalled ? Kubectl.parseAsRoot() : Minik.parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            } catch  where Minik.exitCode(for: error) == .failure && !(error is ExitCode) {
                // Help, and what the parser itself complains of, are its own to print.
                printError(inKubectlsWords(error))
                throw ExitCode.failure
            }
        } catch { Minik.exit(withError: error) }
    }

    /// k8s.io/kubectl/pkg/cmd/util, StandardErrorMessage
    private static func inKubectlsWords(_ error: any Error) -> String {
        guard let status = error as? StatusError else {
            let text = "\(error)"
            return text.hasPrefix("error: ") ? text : "error: \(text)"
        }
        if status.reason == .invalid { return "The \(status.message)" }
        return "Error from server (\(status.reason)): \(status.message)"
    }
}

/// What the program was called as: on a node it is other tools, too.
enum OwnName {
    static let text = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? ""
}

struct Minik: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minik", abstract: "A Kubernetes cluster whose network is this kernel's own.",
        discussion: "sudo minik up labs/netpol.yaml, then minik get pods -o wide. Clusters need root.",
        version: Version.minik,
        groupedSubcommands: [
            CommandGroup(
                name: "Clusters",
                subcommands: [
                    Up.self, Down.self, Ls.self, Status.self, Pause.self, Resume.self, SnapshotCommand.self, KubeconfigCommand.self,
                    Serve.self,
                ]),
            CommandGroup(
                name: "Objects",
                subcommands: [Get.self, Describe.self, Apply.self, Delete.self, Run.self, Exec.self, Logs.self, Label.self, Scale.self]),
            CommandGroup(name: "Labs", subcommands: [LabCommands.self, Validate.self, SchemaCommand.self]),
            CommandGroup(name: "Images", subcommands: [ImageCommand.self]),
            CommandGroup(name: "Explanations", subcommands: [Why.self, Matrix.self, Diff.self, Trace.self, Capture.self, MapCommand.self]),
            CommandGroup(
                name: "Machines",
                subcommands: [
                    NodeCommand.self, LinkCommand.self, FaultCommand.self, HostCommand.self, MeasurePolicies.self, MeasureChanges.self,
                    MeasureServices.self,
                    MeasureStore.self,
                ]),
        ])
}
