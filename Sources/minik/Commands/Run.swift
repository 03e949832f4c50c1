import API
import ArgumentParser
import Glibc
import Model
import Runtime

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create and run a particular image in a pod.",
        discussion: "minik run busybox --rm -it --image=busybox --labels=access=true -- sh")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "The pod's name.") var name: String
    @Option(help: "The image: busybox or httpd, any tag.") var image: String
    @Option(name: .shortAndLong, help: "Labels, such as access=true,tier=web; run=NAME without.") var labels: String?
    @Option(help: "Environment, such as KEY=VALUE; may be given more than once.") var env: [String] = []
    @Option(help: "The port that the container exposes.") var port: Int?
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
        let isInteractive = stdin
        let key = ObjectKey(scope.namespace, name)
        _ = try await client.create(.pods, try pod(words))
        guard isInteractive else { return print("pod/\(name) created") }
        do {
            let code = try await attach(client, key)
            if rm { try await remove(client, key) }
            if code != 0 { throw ExitCode(code) }
        } catch {
            if rm, !(error is ExitCode) { try? await remove(client, key) }
            throw error
        }
    }

    private func pod(_ arguments: [String]) throws -> JSON {
        var labelMap = ["run": name]
        if let labels {
            labelMap = [:]
            for pair in labels.split(separator: ",") {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2 else { throw UserError("error: unexpected label spec: \(pair)") }
                labelMap[String(sides[0])] = String(sides[1])
            }
        }
        let variables: [JSON] = try env.map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else { throw UserError("error: invalid env: \(pair)") }
            return ["name": .string(String(sides[0])), "value": .string(String(sides[1]))]
        }
        let list = JSON.array(arguments.map(JSON.string))
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": .string(scope.namespace), "labels": JSON(labelMap)],
            "spec": [
                "containers": [
                    [
                        "name": .string(name), "image": .string(image), "command": command && !arguments.isEmpty ? list : .null,
                        "args": !command && !arguments.isEmpty ? list : .null, "env": variables.isEmpty ? .null : .array(variables),
                        "ports": port.map { [["containerPort": .int($0)]] } ?? .null, "stdin": stdin ? true : .null,
                        "stdinOnce": stdin ? true : .null, "tty": tty ? true : .null, "resources": .emptyObject,
                    ]
                ],
                "restartPolicy": .string(rm && restart == "Always" ? "Never" : restart), "dnsPolicy": "ClusterFirst",
            ],
        ]
    }

    /// Waits until the pod runs, joins it, and tells the code its process ended with.
    private func attach(_ client: HTTPClient, _ key: ObjectKey) async throws -> Int32 {
        for try await event in try await client.watch(.pods, namespace: key.namespace, from: nil)
        where event.object["metadata"]["name"].string == key.name {
            let pod = Pod(event.object)
            if event.kind == .deleted { throw UserError("error: pod \(name) was deleted") }
            if let waiting = pod.status["containerStatuses"][0]["state"]["waiting"]["reason"].string,
                waiting.contains("Image") || waiting.contains("Error")
            {
                throw UserError(
                    "error: pod \(name) cannot start: \(waiting): \(pod.status["containerStatuses"][0]["state"]["waiting"]["message"].string ?? "")"
                )
            }
            if pod.isFinished || pod.status["containerStatuses"][0]["restartCount"].int ?? 0 > 0 {
                return try await printEnded(client, pod)
            }
            if pod.phase == "Running" { break }
        }
        if tty, isatty(STDIN_FILENO) != 0, !quiet {
            printError("If you don't see a command prompt, try pressing enter.")
        }
        // Whoever attaches hears what is said from then on; what was said before is in the log.
        if !tty { try await printLog(client, key) }
        let conversation = Conversation(client: client, pod: key, command: [], container: nil, stdin: stdin, tty: tty)
        do { _ = try await conversation.run() } catch let error as UserError where error.message.contains("not running") {
            return try await printEnded(client, try await client.get(Pod.self, key))
        }
        return try await exitCode(client, key)
    }

    /// The code that the container's first life ended with; an attachment that ends tells none.
    private func exitCode(_ client: HTTPClient, _ key: ObjectKey) async throws -> Int32 {
        for try await event in try await client.watch(.pods, namespace: key.namespace, from: nil)
        where event.object["metadata"]["name"].string == key.name {
            if event.kind == .deleted { throw UserError("error: pod \(name) was deleted") }
            if let code = Self.exitCode(of: Pod(event.object)) { return code }
        }
        throw UserError("error: the API ended the watch of pod \(name)")
    }

    private static func exitCode(of pod: Pod) -> Int32? {
        let status = pod.status["containerStatuses"][0]
        return (status["state"]["terminated"]["exitCode"].int ?? status["lastState"]["terminated"]["exitCode"].int).map {
            Int32(truncatingIfNeeded: $0)
        }
    }

    private func printLog(_ client: HTTPClient, _ key: ObjectKey) async throws {
        let path = Resource.pods.path(namespace: key.namespace, name: key.name, subresource: "log")
        for try await piece in try await client.stream("GET", path) { Output.write(piece) }
    }

    /// The process was quicker than we: its log is what it said.
    private func printEnded(_ client: HTTPClient, _ pod: Pod) async throws -> Int32 {
        try await printLog(client, pod.key)
        return Self.exitCode(of: pod) ?? 0
    }

    private func remove(_ client: HTTPClient, _ key: ObjectKey) async throws {
        do { try await client.delete(.pods, key, gracePeriod: nil, uid: nil) } catch let error as StatusError
            where error.reason == .notFound
        { return }
        if !quiet { print("pod \"\(name)\" deleted") }
        try await Delete.awaitGone(client, .pods, key)
    }
}

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
