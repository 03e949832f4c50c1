import API
import Glibc
import Lab
import Model
import Synchronization

/// `minik run -i`: waits until the pod runs, joins it, and tells the code that its process ended with.
struct PodSession {
    let client: HTTPClient
    let pod: ObjectKey
    let stdin: Bool
    let tty: Bool
    let isQuiet: Bool

    /// The exit code of the container's first life.
    func run() async throws -> Int32 {
        if let ended = try await awaitRunning() { return try await printEnded(ended) }
        if tty, isatty(STDIN_FILENO) != 0, !isQuiet { printError("If you don't see a command prompt, try pressing enter.") }
        let isSilent = Mutex(true)
        let conversation = Conversation(client: client, pod: pod, command: [], container: nil, stdin: stdin, tty: tty, fromStart: true) {
            isSilent.withLock { $0 = false }
        }
        do { _ = try await conversation.run() } catch  where isSilent.withLock({ $0 }) {
            // It ended while we asked, and its sandbox with it, or cannot be joined: all it says is in its log.
            if !Self.isRefusal(error) { guard try await hasEnded() else { throw error } }
            try await printLog(follow: true)
        }
        return try await exitCode()
    }

    private static func isRefusal(_ error: any Error) -> Bool {
        if let error = error as? UserError { return error.message.contains("not running") || error.message.contains("completed pod") }
        return error is StatusError
    }

    /// Whether the process is known to have ended, now or soon: a sandbox goes before the API hears of it.
    private func hasEnded() async throws -> Bool {
        for _ in 0..<50 {
            if Self.exitCode(of: Pod(try await client.get(.pods, pod))) != nil { return true }
            try await TimerClock().sleep(for: .milliseconds(100))
        }
        return false
    }

    /// nil: it runs. Else the pod, whose process was quicker than we.
    private func awaitRunning() async throws -> Pod? {
        for try await event in try await client.watch(.pods, namespace: pod.namespace, from: nil)
        where event.object["metadata"]["name"].string == pod.name {
            if event.kind == .deleted { throw UserError("error: pod \(pod.name) was deleted") }
            let now = Pod(event.object), status = now.status["containerStatuses"][0], waiting = status["state"]["waiting"]
            if let reason = waiting["reason"].string, reason.contains("Image") || reason.contains("Error") {
                throw UserError("error: pod \(pod.name) cannot start: \(reason): \(waiting["message"].string ?? "")")
            }
            if now.isFinished || status["restartCount"].int ?? 0 > 0 { return now }
            if now.phase == "Running" { return nil }
        }
        throw UserError("error: the API ended the watch of pod \(pod.name)")
    }

    /// An attachment that ends tells no code; the container's status does.
    private func exitCode() async throws -> Int32 {
        for try await event in try await client.watch(.pods, namespace: pod.namespace, from: nil)
        where event.object["metadata"]["name"].string == pod.name {
            if event.kind == .deleted { throw UserError("error: pod \(pod.name) was deleted") }
            if let code = Self.exitCode(of: Pod(event.object)) { return code }
        }
        throw UserError("error: the API ended the watch of pod \(pod.name)")
    }

    private static func exitCode(of pod: Pod) -> Int32? {
        let status = pod.status["containerStatuses"][0]
        return (status["state"]["terminated"]["exitCode"].int ?? status["lastState"]["terminated"]["exitCode"].int).map {
            Int32(truncatingIfNeeded: $0)
        }
    }

    private func printLog(follow: Bool = false) async throws {
        let path = Resource.pods.path(namespace: pod.namespace, name: pod.name, subresource: "log")
        for try await piece in try await client.stream("GET", follow ? "\(path)?follow=true" : path) { Output.write(piece) }
    }

    private func printEnded(_ ended: Pod) async throws -> Int32 {
        try await printLog()
        return Self.exitCode(of: ended) ?? 0
    }
}
