import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

extension HTTPClient {
    private enum Upgraded: Sendable {
        case webSocket(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>)
        case refused
    }

    /// Opens an exec or attach (`target` is its path and query) and runs both directions until the server ends it.
    /// `output` sees everything in order; the last is `exit` or `failure`.
    package func connect(
        _ target: String, input: StreamInputs, output: @escaping StreamOutputs
    ) async throws {
        var headers = try endpoint.headers()
        headers.add(contentsOf: ["Content-Length": "0", "Sec-WebSocket-Protocol": StreamChannel.subprotocol])
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: endpoint.prefix + target, headers: headers)
        let negotiation: EventLoopFuture<Upgraded> = try await endpoint.connect { channel in
            let upgrader = NIOTypedWebSocketClientUpgrader<Upgraded>(maxFrameSize: 1 << 20) { channel, _ in
                channel.eventLoop.makeCompletedFuture { .webSocket(try NIOAsyncChannel(wrappingChannelSynchronously: channel)) }
            }
            let configuration = NIOTypedHTTPClientUpgradeConfiguration(
                upgradeRequestHead: head, upgraders: [upgrader],
                notUpgradingCompletionHandler: { $0.eventLoop.makeSucceededFuture(.refused) })
            var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
            // A short process' whole output may come in one packet with the switch of protocols.
            pipeline.leftOverBytesStrategy = .forwardBytes
            return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
        }
        guard case .webSocket(let socket) = try await negotiation.get() else {
            throw StatusError(400, .badRequest, "the server does not stream \(target)")
        }
        try await socket.executeThenClose { frames, writer in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for try await message in input {
                        // RFC 6455: a client masks what it sends.
                        try await writer.write(
                            WebSocketFrame(
                                fin: true, opcode: .binary, maskKey: .random(), data: ByteBuffer(bytes: StreamChannel.encode(message))))
                    }
                    try await TimerClock().sleep(for: .seconds(1 << 30))  // an end of input does not end the output
                }
                group.addTask {
                    for try await frame in frames {
                        if frame.opcode == .connectionClose {
                            // The server may close on its sight, before this write is known to have gone.
                            try? await writer.write(
                                WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: frame.unmaskedData))
                            return
                        }
                        if frame.opcode == .binary, let message = StreamChannel.decodeOutput(Array(buffer: frame.unmaskedData)) {
                            try await output(message)
                        }
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        }
    }
}
