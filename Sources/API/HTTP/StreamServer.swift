import Model
import NIOCore
import NIOHTTP1
import NIOWebSocket
import TLS

/// Connections that become streams: exec, attach and port-forward over WebSocket and SPDY.
package struct StreamServer: Sendable {
    typealias Inputs = NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator
    typealias Writer = HTTPServer.Writer

    let router: Router
    /// Closes the connection.
    let close: @Sendable () -> Void

    // MARK: Negotiation

    /// What both sides have agreed on.
    enum Stream: Sendable {
        case webSocket(subprotocol: String, key: String)
        case spdy(version: String)
        /// An answer in pieces, a message each.
        case messages(subprotocol: String, key: String, ByteSource)
    }

    enum Negotiation: Sendable {
        /// The request asks for no stream.
        case none
        case refused(HTTPResponse)
        case accepted(Stream)
    }

    private static func subresource(_ request: HTTPRequest) -> String? {
        let place = Target.Place(request.path)
        return place?.plural == "pods" && place?.isWatch == false ? place?.subresource : nil
    }

    static func list(_ request: HTTPRequest, _ header: String) -> [String] {
        request.headerValues(header).flatMap { $0.split(separator: ",").map(\.trimmed) }
    }

    func negotiate(_ request: HTTPRequest, _ user: UserInfo) async -> Negotiation {
        guard let subresource = Self.subresource(request), ["exec", "attach", "portforward"].contains(subresource) else {
            return await negotiateMessages(request, user)
        }
        let wanted = Self.list(request, "Upgrade").map { $0.lowercased() }
        guard !wanted.isEmpty else { return .none }
        do { _ = try await router.wish(request) } catch { return .refused(.failure(error)) }
        if wanted.contains("websocket"), let key = request.header("Sec-WebSocket-Key") {
            let spoken =
                subresource == "portforward"
                ? [SPDYPortForward.tunnelSubprotocol, "v4.channel.k8s.io", "v5.channel.k8s.io", SPDYPortForward.subprotocol]
                : StreamChannel.Dialect.subprotocols
            let offered = Self.list(request, "Sec-WebSocket-Protocol")
            // A client that offers nothing speaks the oldest.
            if offered.isEmpty { return .accepted(.webSocket(subprotocol: "", key: key)) }
            if let chosen = offered.first(where: { spoken.contains($0) }) { return .accepted(.webSocket(subprotocol: chosen, key: key)) }
            let words =
                "unable to negotiate a subprotocol: the client offers [\(offered.joined(separator: " "))], the server speaks [\(spoken.joined(separator: " "))]"
            return .refused(.json(StatusError(403, .forbidden, words).status, code: 403))
        }
        if wanted.contains("spdy/3.1") {
            let offered = Self.list(request, "X-Stream-Protocol-Version")
            let spoken = subresource == "portforward" ? [SPDYPortForward.subprotocol] : ["v4.channel.k8s.io"]
            if let chosen = offered.isEmpty && subresource == "portforward" ? spoken.first : offered.first(where: { spoken.contains($0) }) {
                return .accepted(.spdy(version: chosen))
            }
            let words =
                "unable to upgrade: unable to negotiate protocol: client supports [\(offered.joined(separator: " "))], server accepts [\(spoken.joined(separator: " "))]"
            return .refused(.json(StatusError(403, .forbidden, words).status, code: 403))
        }
        return .none
    }

    // MARK: Service

    func serve(_ stream: Stream, _ request: HTTPRequest, _ inputs: inout Inputs, _ writer: Writer) async throws {
        switch stream {
        case .spdy(let version):
            try await writer.write(
                .becomeBytes(Self.switching(["Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": version])))
            try await run(&inputs, take: { if case .bytes(let buffer) = $0 { .message(Array(buffer: buffer)) } else { .none } }) {
                incoming in
                try await spdy(request, StreamTransport(incoming: incoming) { try await writer.write(.bytes(ByteBuffer(bytes: $0))) })
            }
        case .messages(let subprotocol, let key, let source):
            try await writer.write(.becomeWebSocket(Self.upgrade(subprotocol, key)))
            try await send(source, MessageEncoding(subprotocol), &inputs, writer)
        case .webSocket(let subprotocol, let key):
            try await writer.write(.becomeWebSocket(Self.upgrade(subprotocol, key)))
            try await webSocket(subprotocol, request, &inputs, writer)
        }
    }

    /// The answer that makes a connection a WebSocket (RFC 6455, 4.2.2).
    private static func upgrade(_ subprotocol: String, _ key: String) -> HTTPResponseHead {
        let accept = Base64.encode(Digest.sha1(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
        var headers: HTTPHeaders = ["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept]
        if !subprotocol.isEmpty { headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol) }
        return switching(headers)
    }

    private static func switching(_ headers: HTTPHeaders) -> HTTPResponseHead {
        HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    }

    private func webSocket(_ subprotocol: String, _ request: HTTPRequest, _ inputs: inout Inputs, _ writer: Writer) async throws {
        var partial = ByteBuffer()
        func take(_ input: ConnectionInput) -> Taken {
            guard case .frame(let frame) = input else { return .none }
            switch frame.opcode {
            case .connectionClose: return .over
            case .ping: return .reply(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
            case .binary, .text, .continuation:
                var data = frame.unmaskedData
                partial.writeBuffer(&data)
                guard partial.readableBytes <= 8 << 20 else { return .over }
                guard frame.fin else { return .none }
                defer { partial.clear() }
                return .message(Array(buffer: partial))
            default: return .none
            }
        }
        let dialect = StreamChannel.Dialect(subprotocol)
        let opcode: WebSocketOpcode = dialect.isBase64 ? .text : .binary
        let send: @Sendable ([UInt8]) async throws -> Void = {
            try await writer.write(.frame(WebSocketFrame(fin: true, opcode: opcode, data: ByteBuffer(bytes: $0))))
        }
        let isPortForward = Self.subresource(request) == "portforward"
        try await run(&inputs, take: take, reply: { try await writer.write(.frame($0)) }) { incoming in
            let transport = StreamTransport(incoming: incoming, send: send)
            if subprotocol == SPDYPortForward.tunnelSubprotocol {
                try await spdy(request, transport)
            } else if isPortForward {
                let (pod, _) = try await router.wish(request)
                let ports = request.query.filter { $0.name == "ports" || $0.name == "port" }.flatMap {
                    $0.value.split(separator: ",").compactMap { Int($0) }
                }
                try await ChannelPortForward(pod: pod, ports: ports, node: try router.nodes.services(of: pod), transport: transport).run()
            } else {
                try await process(request, transport, dialect)
            }
            try await farewell(writer)
        }
    }

    /// Says that all has been said.
    func farewell(_ writer: Writer) async throws {
        var close = ByteBuffer()
        close.write(webSocketErrorCode: .normalClosure)
        try await writer.write(.frame(WebSocketFrame(fin: true, opcode: .connectionClose, data: close)))
        // The client's closing frame ends the connection (RFC 6455, 7.1.1): closed sooner, it could lose what is still on its way.
        try await Task.sleep(for: .seconds(5))
    }

    /// exec and attach over a WebSocket's channels.
    private func process(_ request: HTTPRequest, _ transport: StreamTransport, _ dialect: StreamChannel.Dialect) async throws {
        let input = StreamInputs()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { input.finish() }
                for try await message in transport.incoming { if let wish = dialect.decode(message) { await input.send(wish) } }
            }
            try await router.connect(request, input: input) { output in
                if let frame = dialect.encode(output) { try await transport.send(frame) }
            }
            group.cancelAll()
        }
    }

    private func spdy(_ request: HTTPRequest, _ transport: StreamTransport) async throws {
        if Self.subresource(request) == "portforward" {
            let (pod, _) = try await router.wish(request)
            try await SPDYPortForward(pod: pod, node: try router.nodes.services(of: pod), transport: transport).run()
        } else {
            try await SPDYProcess(router: router, request: request, transport: transport).run()
        }
    }

    /// What an input means to a stream.
    enum Taken {
        case none, over
        case message([UInt8])
        case reply(WebSocketFrame)
    }

    /// Reads the connection in this task while `work` runs beside it; the end of either ends both.
    func run(
        _ inputs: inout Inputs, take: (ConnectionInput) -> Taken, reply: (WebSocketFrame) async throws -> Void = { _ in },
        work: @escaping @Sendable (BoundedChannel<[UInt8]>) async throws -> Void
    ) async throws {
        let incoming = BoundedChannel<[UInt8]>()
        let close = close
        // Reading is this task's alone; when the work is over, only closing the connection ends that.
        async let done: Void = {
            defer {
                incoming.finish()
                close()
            }
            try await work(incoming)
        }()
        defer { incoming.finish() }
        while let input = try await inputs.next() {
            switch take(input) {
            case .none: break
            case .over: return
            case .message(let bytes): guard await incoming.send(bytes) else { return }
            case .reply(let frame): try await reply(frame)
            }
        }
        incoming.finish()
        try await done
    }
}
