import ArgumentParser
import Host
import Lab
import Runtime

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Work on a node, switch it off and on.",
        subcommands: [
            NodeLs.self, NodeExec.self, NodeShell.self, NodeStop.self, NodeStart.self, NodeRestart.self, NodePause.self, NodeUnpause.self,
        ])
}

/// A node that is to be worked on.
struct NodeArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The node.", valueName: "node")) var name: String

    /// The node's init, in whose namespaces the work is done.
    func process(_ paths: ClusterPaths) throws -> ProcessIdentity {
        let state = NodePower(name, paths).state
        guard state == .running else {
            throw UserError("node \(name) is \(state.rawValue)", hint: "minik node \(state == .paused ? "unpause" : "start") \(name)")
        }
        guard let process = ProcessIdentity(file: paths.nodePID(name)) else {
            let nodes = Files.list("\(paths.run)/nodes").filter { $0.hasSuffix(".pid") }.map { String($0.dropLast(".pid".count)) }
            throw UserError("there is no node \"\(name)\"", hint: "there are: \(nodes.joined(separator: ", "))")
        }
        return process
    }
}

struct NodeExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command on a node, as a login there would.",
        discussion: "minik node exec k8s-node1 -- ip route")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument
    @Argument(parsing: .postTerminator, help: "The command, after --; a shell without.") var command: [String] = []

    func run() async throws {
        let process = try node.process(try options.paths())
        throw ExitCode(try Foreground.run(command.isEmpty ? ["/bin/sh"] : command, in: process.pid))
    }
}
