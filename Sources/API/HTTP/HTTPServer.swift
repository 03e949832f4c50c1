import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// The API over HTTP/1.1 on a Unix socket, with WebSockets for exec and attach.
package struct HTTPServer: Sendable {
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
    private typealias Socket = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private enum Negotiated: Sendable {
        case http(Connection)
        case webSocket(Socket, HTTPRequestHead)
    }

    /// Kubernetes' own limit of a request's body.
    private static let largestBody = 3 * 1024 * 1024

    private let router: Router

    package init(router: Router) { self.router = router }

    /// Serves on the socket `path` until cancelled. `ready` is called once connections are accepted.
    package func run(path: String, ready: @Sendable () -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { group.shutdownGracefully { _ in } }
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.configure(channel) }
            }
        ready()
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await negotiation in connections {
                    tasks.addTask {
                        // A connection that breaks is its client's affair, not the server's.
                        try? await serve(try await negotiation.get())
                    }
                }
            }
        }
    }

    private static func configure(_ channel: any Channel) throws -> EventLoopFuture<Negotiated> {
        let upgrader = NIOTypedWebSocketServerUpgrader<Negotiated>(
            maxFrameSize: 1 << 20,
            shouldUpgrade: { channel, head in
                let offered = head.headers[canonicalForm: "Sec-WebSocket-Protocol"].map(String.init)
                let isStream = Router.target(HTTPRequest(method: "GET", target: head.uri).path).map { ["exec", "attach"].contains($0.subresource) } ?? false
                guard isStream, offered.contains(StreamChannel.subprotocol) else { return channel.eventLoop.makeSucceededFuture(nil) }
                return channel.eventLoop.makeSucceededFuture(["Sec-WebSocket-Protocol": StreamChannel.subprotocol])
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture { .webSocket(try Socket(wrappingChannelSynchronously: channel), head) }
            })
        let upgrades = NIOTypedHTTPServerUpgradeConfiguration<Negotiated>(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ResponseBodyWrapper())
                    return .http(try Connection(wrappingChannelSynchronously: channel))
                }
            })
        return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(configuration: .init(upgradeConfiguration: upgrades))
    }

    private func serve(_ negotiated: Negotiated) async throws {
        switch negotiated {
        case .webSocket(let socket, let head): try await serve(socket, head)
        case .http(let connection):
            try await connection.executeThenClose { parts, writer in
                var head: HTTPRequestHead?
                var body: [UInt8] = []
                for try await part in parts {
                    switch part {
                    case .head(let start): (head, body) = (start, [])
                    case .body(let bytes):
                        guard body.count + bytes.readableBytes <= Self.largestBody else {
                            let error = StatusError(413, "RequestEntityTooLarge", "Request entity too large: limit is \(Self.largestBody)")
                            try await answer(.json(error.status, code: 413), keepAlive: false, connection, writer)
                            return
                        }
                        body += Array(buffer: bytes)
                    case .end:
                        guard let start = head else { return }
                        let request = HTTPRequest(
                            method: start.method.rawValue, target: start.uri, accept: start.headers["Accept"].joined(separator: ","),
                            contentType: start.headers.first(name: "Content-Type") ?? "", body: body)
                        try await answer(await router.respond(request), keepAlive: start.isKeepAlive, connection, writer)
                        if !start.isKeepAlive { return }
                    }
                }
            }
        }
    }

    private func answer(
        _ response: HTTPResponse, keepAlive: Bool, _ connection: Connection, _ writer: NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>
    ) async throws {
        func head(_ code: Int, _ contentType: String, length: Int?) -> HTTPResponseHead {
            var headers: HTTPHeaders = ["Content-Type": contentType, "Cache-Control": "no-cache, private"]
            if let length { headers.add(name: "Content-Length", value: String(length)) } else { headers.add(name: "Transfer-Encoding", value: "chunked") }
            if !keepAlive { headers.add(name: "Connection", value: "close") }
            return HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
        }
        switch response {
        case .json(let json, let code):
            let bytes = json.bytes()
            try await writer.write(.head(head(code, "application/json", length: bytes.count)))
            try await writer.write(.body(ByteBuffer(bytes: bytes)))
        case .text(let text, let code):
            try await writer.write(.head(head(code, "text/plain; charset=utf-8", length: text.utf8.count)))
            try await writer.write(.body(ByteBuffer(string: text)))
        case .stream(let contentType, let pieces):
            try await writer.write(.head(head(200, contentType, length: nil)))
            for try await piece in pieces { try await writer.write(.body(ByteBuffer(bytes: piece))) }
        }
        if keepAlive { return try await writer.write(.end(nil)) }
        // Who closes next must know that all of it has gone: what is still queued then is lost.
        try await connection.channel.writeAndFlush(HTTPPart<HTTPResponseHead, ByteBuffer>.end(nil)).get()
    }

    private func serve(_ socket: Socket, _ head: HTTPRequestHead) async throws {
        let request = HTTPRequest(method: "GET", target: head.uri)
        try await socket.executeThenClose { frames, writer in
            let (input, feed) = AsyncStream.makeStream(of: StreamInput.self)
            try await withThrowingTaskGroup(of: End.self) { group in
                group.addTask {
                    defer { feed.finish() }
                    var partial = ByteBuffer()
                    for try await frame in frames {
                        switch frame.opcode {
                        case .connectionClose: return .client
                        case .ping: try await writer.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
                        case .binary, .text, .continuation:
                            var data = frame.unmaskedData
                            partial.writeBuffer(&data)
                            guard frame.fin else { continue }
                            if let message = StreamChannel.decodeInput(Array(buffer: partial)) { feed.yield(message) }
                            partial.clear()
                        default: break
                        }
                    }
                    return .client
                }
                group.addTask {
                    for await output in await router.connect(request, input: input) {
                        try await writer.write(WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: StreamChannel.encode(output))))
                    }
                    var close = ByteBuffer()
                    close.write(webSocketErrorCode: .normalClosure)
                    try await writer.write(WebSocketFrame(fin: true, opcode: .connectionClose, data: close))
                    return .output
                }
                // A client that leaves ends the output. An output that ends waits for the client's closing frame
                // (RFC 6455, 7.1.1): closed sooner, the client could lose what is still on its way.
                while let end = try await group.next(), end == .output {
                    group.addTask {
                        try await Task.sleep(for: .seconds(5))
                        return .patience
                    }
                }
                group.cancelAll()
            }
        }
    }

    /// What ended first of a stream's connection.
    private enum End { case client, output, patience }
}

/// Lets the asynchronous side write plain buffers.
private final class ResponseBodyWrapper: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
    typealias OutboundOut = HTTPServerResponsePart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPServerResponsePart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let bytes): .body(.byteBuffer(bytes))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
