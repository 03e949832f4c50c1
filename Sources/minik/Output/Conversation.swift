import API
@preconcurrency import Dispatch  // its sources may be used from any thread, which their type does not say
import Glibc
import Model
import Synchronization

/// Connects this process' standard streams to a process in a pod, and tells its exit code.
struct Conversation {
    let client: HTTPClient
    let pod: ObjectKey
    /// Empty: attach.
    let command: [String]
    let container: String?
    let stdin: Bool
    let tty: Bool

    /// Runs until the far process ends; its exit code.
    func run() async throws -> Int32 {
        var query = command.map { "command=\(URL.encode($0))" }
        query += ["stdin=\(stdin)", "stdout=true", "stderr=\(!tty)", "tty=\(tty)"]
        if let container { query.append("container=\(URL.encode(container))") }
        let path = Resource.pods.path(namespace: pod.namespace, name: pod.name, subresource: command.isEmpty ? "attach" : "exec")

        var raw = tty && stdin ? RawTerminal() : nil
        let (input, feed) = AsyncStream.makeStream(of: StreamInput.self)
        if stdin { Self.readInput(feed) }
        if tty { Self.sendSize(feed) }
        let resizing = tty ? Self.watchSize(feed) : nil
        defer { resizing?.cancel() }
        let result = Mutex<StreamOutput?>(nil)
        try await client.connect("\(path)?\(query.joined(separator: "&"))", input: input) { output in
            switch output {
            case .stdout(let bytes): Output.write(bytes)
            case .stderr(let bytes): Output.write(bytes, to: STDERR_FILENO)
            case .exit, .failure: result.withLock { $0 = output }
            }
        }
        raw = nil  // error messages below want their line ends back
        _ = raw
        switch result.withLock({ $0 }) {
        case .exit(let code): return Int32(code)
        case .failure(let message): throw UserError("error: \(message)")
        default: throw UserError("error: the connection was lost")
        }
    }

    /// Reads standard input on a thread of its own until its end, or the process': some files that it may be cannot be
    /// polled, /dev/null among them.
    private static func readInput(_ feed: AsyncStream<StreamInput>.Continuation) {
        DispatchQueue(label: "stdin").async {
            var buffer = [UInt8](repeating: 0, count: 16 * 1024)
            while true {
                let n = read(STDIN_FILENO, &buffer, buffer.count)
                if n > 0 {
                    feed.yield(.stdin(Array(buffer[..<n])))
                } else if n == 0 || errno != EINTR {
                    feed.yield(.endOfInput)
                    return
                }
            }
        }
    }

    private static func sendSize(_ feed: AsyncStream<StreamInput>.Continuation) {
        if let size = RawTerminal.size() { feed.yield(.resize(rows: size.rows, columns: size.columns)) }
    }

    private static func watchSize(_ feed: AsyncStream<StreamInput>.Continuation) -> any DispatchSourceSignal {
        let source = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global())
        source.setEventHandler { sendSize(feed) }
        source.activate()
        return source
    }
}
