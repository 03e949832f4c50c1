import ArgumentParser
import CSandbox
import Glibc
import Model
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
            let nodes = Files.list("\(paths.run)/nodes").map { $0.replacing(".pid", with: "") }
            throw UserError("there is no node \"\(node)\"", hint: "there are: \(nodes.joined(separator: ", "))")
        }
        throw ExitCode(try Foreground.run(command.isEmpty ? ["/bin/sh"] : command, in: process.pid))
    }
}

struct HostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "Work as the outside client on the nodes' LAN.", subcommands: [HostExec.self])
}

struct HostExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command as the outside client.",
        discussion: """
            The outside client is this machine itself, with an address on the nodes' LAN. Where the machine's own network overlaps \
            the LAN's, it is a network namespace with that address instead; this command finds the right one.
            """)
    @OptionGroup var options: ClusterOptions
    @Argument(parsing: .postTerminator, help: "The command, after --.") var command: [String] = []

    func run() async throws {
        let paths = try options.paths()
        guard !command.isEmpty else {
            throw UserError("a command is needed", hint: "minik host exec -- wget -qO- http://192.168.200.129:33000")
        }
        if Files.exists(paths.outsideNetns) {
            let fd = open(paths.outsideNetns, O_RDONLY | O_CLOEXEC)
            let entered = fd >= 0 ? sandbox_enter_network(fd) : -errno
            guard entered == 0 else { throw FileError("enter", paths.outsideNetns, errno: -entered) }
        }
        let error = -withCStrings(command) { sandbox_replace($0) }
        throw UserError("\(command[0]): \(String(cString: strerror(error)))")
    }
}

/// Runs a command in a node's namespaces with our own terminal, signals and all.
enum Foreground {
    static func run(_ command: [String], in pid: Int) throws -> Int32 {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let names: [String] = ["TERM", "LANG", "HOME"]
        let kept: [String] = names.compactMap { (name: String) -> String? in
            guard let value = getenv(name) else { return nil }
            return name + "=" + String(cString: value)
        }
        var failure = sandbox_failure()
        let child = withCStrings(command) { argv in
            withCStrings([path] + kept) { environment in sandbox_join(pid_t(pid), argv, environment, &failure) }
        }
        guard child > 0 else {
            let stage = withUnsafeBytes(of: &failure.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw UserError("\(stage): \(String(cString: strerror(failure.error)))")
        }
        // The terminal's signals reach the command itself; we only wait.
        signal(SIGINT, SIG_IGN)
        signal(SIGQUIT, SIG_IGN)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return sandbox_exit_code(status)
    }
}
