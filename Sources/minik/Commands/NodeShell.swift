import ArgumentParser
import Lab
import Runtime

struct NodeShell: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "Log in to a node: its root's shell, until exit.",
        discussion: """
            minik node shell k8s-master

            Without a terminal the shell reads its commands from standard input. The exit code is the shell's.
            """)
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        let paths = try options.paths(), process = try node.process(paths)
        // A node may have lost its bash; without sh it is no machine of this kind.
        let shell = try NodeRoot(node.name, paths: paths).type(of: "/bin/bash") == nil ? "/bin/sh" : "/bin/bash"
        let environment = Foreground.inherited(["TERM", "LANG"]) + ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=\(shell)"]
        throw ExitCode(try Foreground.run([shell, "-l"], environment: environment, in: process.pid))
    }
}
