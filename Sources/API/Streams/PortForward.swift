import Model

/// port-forward over SPDY, in a socket of its own or within a WebSocket: for each connection an error stream and a data stream.
/// (kubernetes/enhancements KEP-4006; k8s.io/kubelet/pkg/cri/streaming/portforward)
struct SPDYPortForward {
    static let subprotocol = "portforward.k8s.io"
    static let tunnelSubprotocol = "SPDY/3.1+portforward.k8s.io"

    let pod: Pod
    let streams: any PodStreams
    let transport: StreamTransport

    /// The streams of one forwarded connection, as its headers pair them.
    private struct Pair {
        var error: Int?
        var data: Int?
        var port = 0
    }

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            var session = SPDYSession()
            var pairs: [String: Pair] = [:]
            /// Where a data stream's bytes go.
            var feeds: [Int: AsyncStream<[UInt8]>.Continuation] = [:]
            defer { for feed in feeds.values { feed.finish() } }
            for await bytes in transport.incoming {
                for event in try session.receive(bytes) {
                    switch event {
                    case .opened(let stream, let headers, _):
                        func value(_ name: String) -> String { headers.first { $0.name == name }?.value ?? "" }
                        try await transport.send(session.reply(stream))
                        let id = value("requestid").isEmpty ? "\(stream - (value("streamtype") == "data" ? 2 : 0))" : value("requestid")
                        var pair = pairs[id] ?? Pair()
                        pair.port = Int(value("port")) ?? 0
                        if value("streamtype") == "error" { pair.error = stream } else { pair.data = stream }
                        pairs[id] = pair
                        guard let error = pair.error, let data = pair.data else { continue }
                        pairs[id] = nil
                        let (input, feed) = AsyncStream.makeStream(of: [UInt8].self)
                        feeds[data] = feed
                        let port = pair.port
                        group.addTask { await forward(port, input, data: data, error: error) }
                    case .data(let stream, let content, let isLast):
                        if !content.isEmpty { feeds[stream]?.yield(content) }
                        if isLast { feeds.removeValue(forKey: stream)?.finish() }
                    case .reset(let stream): feeds.removeValue(forKey: stream)?.finish()
                    case .ping(let id): try await transport.send(SPDYSession.pong(id))
                    case .goAway: break
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// One connection, from its dialling to its end. What fails is the client's to know, on the error stream.
    private func forward(_ port: Int, _ input: AsyncStream<[UInt8]>, data: Int, error: Int) async {
        do {
            let connection = try await Connection(taking: try await streams.dial(pod, port: port))
            try await connection.relay(input) { bytes in
                for start in stride(from: 0, to: bytes.count, by: 32 * 1024) {
                    try await transport.send(SPDYSession.data(data, Array(bytes[start..<min(start + 32 * 1024, bytes.count)])))
                }
            }
        } catch let failure {
            let words = "error forwarding port \(port) to pod \(pod.uid), uid : \(failure)"
            try? await transport.send(SPDYSession.data(error, Array(words.utf8)))
        }
        for stream in [data, error] { try? await transport.send(SPDYSession.data(stream, [], isLast: true)) }
    }
}

/// port-forward over a WebSocket's channels, as client libraries in other languages speak it: for each port a channel of data
/// and one of errors, each opened by two bytes that name the port.
struct ChannelPortForward {
    let pod: Pod
    let ports: [Int]
    let streams: any PodStreams
    let transport: StreamTransport

    /// Runs until every port's connection has ended: that ends the WebSocket, too.
    func run() async throws {
        var inputs: [AsyncStream<[UInt8]>] = []
        var feeds: [AsyncStream<[UInt8]>.Continuation] = []
        for (index, port) in ports.enumerated() {
            let (input, feed) = AsyncStream.makeStream(of: [UInt8].self)
            inputs.append(input)
            feeds.append(feed)
            let name = [UInt8(port & 255), UInt8(port >> 8 & 255)]
            for channel in [index * 2, index * 2 + 1] { try await transport.send([UInt8(channel)] + name) }
        }
        let open = feeds, incoming = transport.incoming
        async let reading: Void = {
            defer { for feed in open { feed.finish() } }
            for await message in incoming {
                guard let channel = message.first, channel % 2 == 0, Int(channel) / 2 < open.count, message.count > 1 else { continue }
                open[Int(channel) / 2].yield(Array(message.dropFirst()))
            }
        }()
        await withDiscardingTaskGroup { group in
            for (index, port) in ports.enumerated() {
                let input = inputs[index]
                group.addTask {
                    do {
                        let connection = try await Connection(taking: try await streams.dial(pod, port: port))
                        try await connection.relay(input) { try await transport.send([UInt8(index * 2)] + $0) }
                    } catch let failure {
                        try? await transport.send([UInt8(index * 2 + 1)] + Array("error forwarding port \(port) to pod \(pod.uid), uid : \(failure)".utf8))
                    }
                }
            }
        }
    }
}
