import Model

/// port-forward over SPDY, in a socket of its own or within a WebSocket: for each connection an error stream and a data stream.
/// (kubernetes/enhancements KEP-4006; k8s.io/kubelet/pkg/cri/streaming/portforward)
struct SPDYPortForward {
    static let subprotocol = "portforward.k8s.io"
    static let tunnelSubprotocol = "SPDY/3.1+portforward.k8s.io"
    /// Of a connection at a time; a client that opens more has lost count.
    private static let mostStreams = 1024

    let pod: Pod
    let node: any NodeServices
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
            var feeds: [Int: BoundedChannel<[UInt8]>] = [:]
            defer { for feed in feeds.values { feed.finish() } }
            for try await bytes in transport.incoming {
                for event in try session.receive(bytes) {
                    switch event {
                    case .opened(let stream, let headers, _):
                        func value(_ name: String) -> String { headers.first { $0.name == name }?.value ?? "" }
                        guard pairs.count < Self.mostStreams, feeds.count < Self.mostStreams else { return group.cancelAll() }
                        try await transport.send(session.reply(stream))
                        let id = value("requestid").isEmpty ? "\(stream - (value("streamtype") == "data" ? 2 : 0))" : value("requestid")
                        var pair = pairs[id] ?? Pair()
                        pair.port = Int(value("port")) ?? 0
                        if value("streamtype") == "error" { pair.error = stream } else { pair.data = stream }
                        pairs[id] = pair
                        guard let error = pair.error, let data = pair.data else { continue }
                        pairs[id] = nil
                        let input = BoundedChannel<[UInt8]>()
                        feeds[data] = input
                        let port = pair.port
                        group.addTask { await forward(port, input, data: data, error: error) }
                    case .data(let stream, let content, let isLast):
                        if !content.isEmpty { await feeds[stream]?.send(content) }
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
    private func forward(_ port: Int, _ input: BoundedChannel<[UInt8]>, data: Int, error: Int) async {
        // What comes for one that has ended is not waited with.
        defer { input.finish() }
        do {
            let connection = try await Connection(taking: try await node.dial(pod, port: port))
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
    let node: any NodeServices
    let transport: StreamTransport

    /// Runs until every port's connection has ended: that ends the WebSocket, too.
    func run() async throws {
        let inputs = ports.map { _ in BoundedChannel<[UInt8]>() }
        for (index, port) in ports.enumerated() {
            let name = [UInt8(port & 255), UInt8(port >> 8 & 255)]
            for channel in [index * 2, index * 2 + 1] { try await transport.send([UInt8(channel)] + name) }
        }
        async let _: Void = {
            defer { for input in inputs { input.finish() } }
            for try await message in transport.incoming {
                guard let channel = message.first, channel % 2 == 0, Int(channel) / 2 < inputs.count, message.count > 1 else { continue }
                await inputs[Int(channel) / 2].send(Array(message.dropFirst()))
            }
        }()
        await withDiscardingTaskGroup { group in
            for (index, port) in ports.enumerated() {
                let input = inputs[index]
                group.addTask {
                    defer { input.finish() }
                    do {
                        let connection = try await Connection(taking: try await node.dial(pod, port: port))
                        try await connection.relay(input) { try await transport.send([UInt8(index * 2)] + $0) }
                    } catch let failure {
                        try? await transport.send(
                            [UInt8(index * 2 + 1)] + Array("error forwarding port \(port) to pod \(pod.uid), uid : \(failure)".utf8))
                    }
                }
            }
        }
    }
}
