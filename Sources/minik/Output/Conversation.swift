import API
@preconcurrency import Dispatch  // its sources may be used from any thread, which their type does not say
import Glibc
import Lab
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
    /// Attach: what the process has said before comes first.
    var fromStart = false
    /// Hears that the process has said something.
    var heard: @Sendable () -> Void = {}

    /// Runs until the far process ends; its exit code.
    func run() async throws -> Int32 {
        var query = command.map { "command=\(URL.encode($0))" }
        query += ["stdin=\(stdin)", "stdout=true", "stderr=\(!tty)", "tty=\(tty)"]
        if fromStart { query.append("fromStart=true") }
        if let container { query.append("container=\(URL.encode(container))") }
        let path = Resource.pods.path(namespace: pod.namespace, name: pod.name, subresource: command.isEmpty ? "attach" : "exec")

        var raw = tty && stdin ? RawTerminal() : nil
        let input = StreamInputs()
        let result = Mutex<StreamOutput?>(nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if tty { group.addTask { try await Self.watchSize(input) } }
            // What it reads next may never come: the end of the conversation is not its end.
            let reading = stdin ? Task { await Self.readInput(input) } : nil
            defer { reading?.cancel() }
            try await client.connect("\(path)?\(query.joined(separator: "&"))", input: input) { output in
                switch output {
                case .stdout(let bytes):
                    heard()
                    Output.write(bytes)
                case .stderr(let bytes):
                    heard()
                    Output.write(bytes, to: STDERR_FILENO)
                case .exit, .failure: result.withLock { $0 = output }
                }
            }
            group.cancelAll()
        }
        raw = nil  // error messages below want their line ends back
        _ = raw
        switch result.withLock({ $0 }) {
        case .exit(let code): return Int32(code)
        case .failure(let message): throw UserError("error: \(message)")
        default: throw UserError("error: the connection was lost")
        }
    }

    /// Hands on standard input until its end, no faster than the process takes it.
    private static func readInput(_ input: StreamInputs) async {
        let thread = DispatchQueue(label: "stdin")
        while let bytes = await piece(thread) { guard await input.send(.stdin(bytes)) else { return } }
        await input.send(.endOfInput)
    }

    /// Reads on a thread of its own: some files that standard input may be cannot be polled, /dev/null among them.
    private static func piece(_ thread: DispatchQueue) async -> [UInt8]? {
        await withCheckedContinuation { done in
            thread.async {
                var buffer = [UInt8](repeating: 0, count: 16 * 1024)
                var n = read(STDIN_FILENO, &buffer, buffer.count)
                while n < 0, errno == EINTR { n = read(STDIN_FILENO, &buffer, buffer.count) }
                done.resume(returning: n > 0 ? Array(buffer[..<n]) : nil)
            }
        }
    }

    /// Tells the terminal's size, at first and whenever it changes.
    private static func watchSize(_ input: StreamInputs) async throws {
        let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let source = DispatchSource.makeSignalSource(signal: SIGWINCH, queue: .global())
        source.setEventHandler { change.yield() }
        source.activate()
        defer { source.cancel() }
        change.yield()
        for await _ in changes { if let size = RawTerminal.size() { await input.send(.resize(rows: size.rows, columns: size.columns)) } }
    }
}
