import ArgumentParser
import CSandbox
import Glibc
import Host
import Lab
import Model
import Runtime

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
            let network = try Descriptor(opening: paths.outsideNetns, O_RDONLY)
            let entered = sandbox_enter_network(network.number)
            guard entered == 0 else { throw FileError("enter", paths.outsideNetns, errno: -entered) }
        }
        let error = -withCStrings(command) { sandbox_replace($0) }
        guard let (words, code) = StartFailure(stage: "\(SANDBOX_EXEC_STAGE) \(command[0])", errno: Int(error)).ofCommand else { return }
        printError("error: \(words)")
        throw ExitCode(code)
    }
}
