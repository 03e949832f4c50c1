import ArgumentParser
import Runtime

@main
struct Minik: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minik", abstract: "A Kubernetes cluster whose network is this kernel's own.",
        discussion: "sudo minik up labs/netpol.yaml, then minik get pods -o wide. Clusters need root.",
        version: minikVersion,
        groupedSubcommands: [
            CommandGroup(name: "Clusters", subcommands: [Up.self, Down.self, Ls.self, Status.self, Serve.self]),
            CommandGroup(
                name: "Objects",
                subcommands: [Get.self, Describe.self, Apply.self, Delete.self, Run.self, Exec.self, Logs.self, Label.self, Scale.self]),
            CommandGroup(name: "Machines", subcommands: [NodeCommand.self, HostCommand.self]),
        ])
}
