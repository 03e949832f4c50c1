import Model

/// exec and attach over SPDY: a stream each for errors, stdin, stdout, stderr and resizes.
/// (k8s.io/apimachinery/pkg/util/remotecommand; kubectl before 1.29 and older client libraries)
struct SPDYProcess {
    let router: Router
    let request: HTTPRequest
    let transport: StreamTransport

    /// Opened by the client, by the name in its `streamtype` header.
    private struct Streams {
        var byName: [String: Int] = [:]
        var names: [Int: String] = [:]
    }

    func run() async throws {
        var wanted: Set = ["error"]
        for name in ["stdin", "stdout", "stderr"] where request.isTrue(name) { wanted.insert(name) }
        if request.isTrue("tty") {
            wanted.insert("resize")
            wanted.remove("stderr")
        }
        let input = StreamInputs()
        defer { input.finish() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var session = SPDYSession()
            var streams = Streams()
            var isRunning = false
            for try await bytes in transport.incoming {
                for event in try session.receive(bytes) {
                    switch event {
                    case .opened(let stream, let headers, let isLast):
                        let name = headers.first { $0.name == "streamtype" }?.value ?? ""
                        // Of each name one has a meaning; whoever opens more and more has none.
                        guard streams.names.count < 64 else { return group.cancelAll() }
                        streams.byName[name] = stream
                        streams.names[stream] = name
                        try await transport.send(session.reply(stream))
                        if isLast, name == "stdin" { await input.send(.endOfInput) }
                    case .data(let stream, let content, let isLast):
                        switch streams.names[stream] {
                        case "stdin":
                            if !content.isEmpty { await input.send(.stdin(content)) }
                            if isLast { await input.send(.endOfInput) }
                        case "resize":
                            if let size = try? JSON(parsing: content), let rows = size["Height"].int, let columns = size["Width"].int {
                                await input.send(.resize(rows: rows, columns: columns))
                            }
                        default: break
                        }
                    case .reset(let stream): if streams.names[stream] == "stdin" { await input.send(.endOfInput) }
                    case .ping(let id): try await transport.send(SPDYSession.pong(id))
                    case .goAway: return group.cancelAll()
                    }
                }
                guard !isRunning, wanted.isSubset(of: streams.byName.keys) else { continue }
                isRunning = true
                let places = streams.byName
                group.addTask { try await relay(input, places) }
            }
            group.cancelAll()
        }
    }

    private func relay(_ input: StreamInputs, _ streams: [String: Int]) async throws {
        try await router.connect(request, input: input) { output in
            switch output {
            case .stdout(let bytes): try await send(bytes, "stdout", streams)
            case .stderr(let bytes): try await send(bytes, "stderr", streams)
            case .exit, .failure: try await send(Array(StreamChannel.encode(output).dropFirst()), "error", streams)
            }
        }
        // Every stream ends before the connection does: the client reads each to its end.
        for stream in streams.values.sorted() { try await transport.send(SPDYSession.data(stream, [], isLast: true)) }
        try await transport.send(SPDYSession.goAway(last: streams.values.max() ?? 0))
    }

    private func send(_ bytes: [UInt8], _ name: String, _ streams: [String: Int]) async throws {
        guard let stream = streams[name] else { return }
        for start in stride(from: 0, to: bytes.count, by: 32 * 1024) {
            try await transport.send(SPDYSession.data(stream, Array(bytes[start..<min(start + 32 * 1024, bytes.count)])))
        }
    }
}
