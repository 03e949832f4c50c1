import ArgumentParser
import Host
import Lab
import Runtime

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "node", abstract: "Work on a node.", subcommands: [NodeExec.self])
}

struct NodeExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command on a node, as a login there would.",
        discussion: "minik node exec k8s-node1 -- ip route")
    @OptionGroup var options: ClusterOptions
    @Argument(help: "The node.") var node: String
    @Argument(parsing: .postTerminator, help: "The command, after --; a shell without.") var command: [String] = []

    func run() async throws {
        let paths = try options.paths()
        guard let process = ProcessIdentity(file: paths.nodePID(node)) else {
            let nodes = Files.list("\(paths.run)/nodes").filter { $0.hasSuffix(".pid") }.map { String($0.dropLast(".pid".count)) }
            throw UserError("there is no node \"\(node)\"", hint: "there are: \(nodes.joined(separator: ", "))")
        }
        throw ExitCode(try Foreground.run(command.isEmpty ? ["/bin/sh"] : command, in: process.pid))
    }
}
