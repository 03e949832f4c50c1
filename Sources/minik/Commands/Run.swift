import API
import ArgumentParser
import Lab
import Model

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create and run a particular image in a pod.",
        discussion: "minik run busybox --rm -it --image=busybox --labels=access=true -- sh")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "The pod's name.") var name: String
    @Option(help: "The image: a name as a registry has it; minik image ls shows what is here.") var image: String
    @Option(name: .shortAndLong, help: "Labels, such as access=true,tier=web; run=NAME without.") var labels: String?
    @Option(help: "Environment, such as KEY=VALUE; may be given more than once.") var env: [String] = []
    @Option(help: "The port that the container exposes.") var port: Int?
    @Option(help: "Always, IfNotPresent or Never; by its tag without.") var imagePullPolicy: String?
    @Option(help: "Always, OnFailure or Never.") var restart: String = "Always"
    @Flag(name: [.customShort("i"), .long], help: "Keep stdin open.") var stdin = false
    @Flag(name: [.customShort("t"), .long], help: "Give the container a terminal.") var tty = false
    @Flag(help: "Delete the pod when its session ends.") var rm = false
    @Flag(help: "The arguments are the command, not the image's arguments.") var command = false
    @Flag(name: .shortAndLong, help: "Do not print what is only talk.") var quiet = false
    @Argument(help: "What to run, best after --.") var words: [String] = []

    func run() async throws {
        if rm && !stdin { throw UserError("error: --rm should only be used for attached containers") }
        let client = try options.client()
        _ = try await client.create(.pods, try request.pod())
        guard stdin else { return print("pod/\(name) created") }
        let session = PodSession(client: client, pod: ObjectKey(scope.namespace, name), stdin: stdin, tty: tty, isQuiet: quiet)
        do {
            let code = try await session.run()
            if rm { try await remove(client, session.pod) }
            if code != 0 { throw ExitCode(code) }
        } catch {
            if rm, !(error is ExitCode) { try? await remove(client, session.pod) }
            throw error
        }
    }

    private var request: RunRequest {
        var request = RunRequest(name: name, namespace: scope.namespace, image: image)
        request.labels = labels
        request.environment = env
        request.port = port
        request.imagePullPolicy = imagePullPolicy
        request.restartPolicy = rm && restart == "Always" ? "Never" : restart
        request.stdin = stdin
        request.tty = tty
        request.words = words
        request.wordsAreCommand = command
        return request
    }

    private func remove(_ client: HTTPClient, _ key: ObjectKey) async throws {
        do { try await client.delete(.pods, key, gracePeriod: nil, uid: nil) } catch let error as StatusError
            where error.reason == .notFound
        { return }
        if !quiet { print("pod \"\(name)\" deleted") }
        try await Deletion.awaitGone(client, .pods, key)
    }
}
