import ArgumentParser
import Lab

struct Exec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Execute a command in a container.", discussion: "minik exec -it busybox -- sh")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "A pod, or deployment/NAME for one of its pods.") var pod: String
    @Option(name: .long, help: "The container; needed only when there are several.") var container: String?
    @Flag(name: [.customShort("i"), .long], help: "Pass stdin to the command.") var stdin = false
    @Flag(name: [.customShort("t"), .long], help: "Give the command a terminal.") var tty = false
    @Argument(parsing: .postTerminator, help: "The command, after --.") var command: [String] = []

    func run() async throws {
        guard !command.isEmpty else {
            throw UserError("error: you must specify at least one command for the container", hint: "minik exec \(pod) -- COMMAND")
        }
        let client = try options.client()
        let key = try await PodName(pod, namespace: scope.namespace, client).resolve()
        _ = try await client.get(.pods, key)
        let conversation = Conversation(client: client, pod: key, command: command, container: container, stdin: stdin, tty: tty)
        let code = try await conversation.run()
        if code != 0 {
            printError("command terminated with exit code \(code)")
            throw ExitCode(code)
        }
    }
}
