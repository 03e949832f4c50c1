import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TLS

/// The API over HTTP/1.1: on a Unix socket to root, and with TLS on TCP; with WebSockets and SPDY for streams.
package struct HTTPServer: Sendable {
    typealias Exchange = NIOAsyncChannel<ConnectionInput, ConnectionOutput>
    typealias Writer = NIOAsyncChannelOutboundWriter<ConnectionOutput>

    /// Where to listen.
    package enum Listener: Sendable {
        /// Whoever can open the socket is root.
        case unix(String)
        case tcp(host: String, port: Int, TLSContext)
        /// A bound socket, from whichever network namespace.
        case socket(Int32, TLSContext)
    }

    /// Kubernetes' own limit of a request's body.
    private static let largestBody = 3 * 1024 * 1024
    /// Seconds for a request to come in whole, and between requests.
    private static let patience = 60, idle = 300

    private let router: Router
    private let threads: MultiThreadedEventLoopGroup

    package init(router: Router) {
        self.router = router
        threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    /// Serves until cancelled. `ready` is called once connections are accepted, with the port of a TCP listener.
    package func run(on listener: Listener, ready: @Sendable (_ port: Int?) -> Void) async throws {
        let bootstrap = ServerBootstrap(group: threads)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        let server: NIOAsyncChannel<(Exchange, Peer), Never>
        switch listener {
        case .unix(let path):
            server = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { configure($0, tls: nil) }
        case .tcp(let host, let port, let context):
            server = try await bootstrap.bind(host: host, port: port) { configure($0, tls: context) }
        case .socket(let descriptor, let context):
            server = try await bootstrap.bind(descriptor) { configure($0, tls: context) }
        }
        ready(server.channel.localAddress?.port)
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await (exchange, peer) in connections {
                    tasks.addTask {
                        // A connection that breaks is its client's affair, not the server's.
                        try? await serve(exchange, peer)
                    }
                }
            }
        }
    }

    /// Who is on the other side: by the socket itself, or by the certificate of the handshake.
    struct Peer: Sendable {
        let isLocal: Bool
        let tls: TLSPeer
        /// Ends a connection that keeps the server waiting.
        let deadline: Deadline

        var user: UserInfo? {
            if isLocal { return .root }
            return tls.subject.map { UserInfo(name: $0.commonName, groups: $0.organizations + [UserInfo.authenticated]) }
        }
    }

    private func configure(_ channel: any Channel, tls: TLSContext?) -> EventLoopFuture<(Exchange, Peer)> {
        channel.eventLoop.makeCompletedFuture {
            let peer = Peer(isLocal: tls == nil, tls: TLSPeer(), deadline: Deadline(channel, seconds: Self.patience))
            if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls, peer: peer.tls)) }
            try ConnectionPipeline.install(in: channel)
            return (try Exchange(wrappingChannelSynchronously: channel), peer)
        }
    }

    private static func request(_ head: HTTPRequestHead, body: [UInt8], peer: Peer) -> HTTPRequest {
        HTTPRequest(method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) }, body: body, peer: peer.user)
    }

    private func serve(_ exchange: Exchange, _ peer: Peer) async throws {
        defer { peer.deadline.lift() }
        try await exchange.executeThenClose { inputs, writer in
            var inputs = inputs.makeAsyncIterator()
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            while let input = try await inputs.next() {
                guard case .part(let part) = input else { return }
                switch part {
                case .head(let start):
                    (head, body) = (start, [])
                    peer.deadline.set(seconds: Self.patience)
                    if let length = start.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > Self.largestBody {
                        return try await answer(Self.tooLarge, start, keepAlive: false, exchange, writer)
                    }
                    if start.headers["Expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                        try await writer.write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
                    }
                case .body(let bytes):
                    guard body.count + bytes.readableBytes <= Self.largestBody else {
                        return try await answer(Self.tooLarge, head, keepAlive: false, exchange, writer)
                    }
                    body += Array(buffer: bytes)
                case .end:
                    guard let start = head else { return }
                    peer.deadline.lift()
                    let request = Self.request(start, body: body, peer: peer)
                    let response: HTTPResponse
                    let channel = exchange.channel
                    let streams = StreamServer(router: router) { channel.close(promise: nil) }
                    switch await streams.negotiate(request) {
                    case .none: response = await router.respond(request)
                    case .refused(let refusal): response = refusal
                    case .accepted(let stream): return try await streams.serve(stream, request, &inputs, writer)
                    }
                    try await answer(response, start, keepAlive: start.isKeepAlive, exchange, writer)
                    if !start.isKeepAlive { return }
                    peer.deadline.set(seconds: Self.idle)
                }
            }
        }
    }

    private static var tooLarge: HTTPResponse {
        let error = StatusError(413, "RequestEntityTooLarge", "Request entity too large: limit is \(largestBody)")
        return .json(error.status, code: 413)
    }

    private func answer(_ response: HTTPResponse, _ request: HTTPRequestHead?, keepAlive: Bool, _ exchange: Exchange, _ writer: Writer) async throws {
        var extra: [(name: String, value: String)] = []
        var response = response
        while case .with(let headers, let inner) = response {
            extra += headers
            response = inner
        }
        func head(_ code: Int, _ contentType: String?, length: Int?) -> HTTPResponseHead {
            var headers: HTTPHeaders = ["Cache-Control": "no-cache, private"]
            if let contentType { headers.add(name: "Content-Type", value: contentType) }
            for (name, value) in extra { headers.add(name: name, value: value) }
            if let length { headers.add(name: "Content-Length", value: String(length)) } else { headers.add(name: "Transfer-Encoding", value: "chunked") }
            if !keepAlive { headers.add(name: "Connection", value: "close") }
            return HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
        }
        func whole(_ bytes: [UInt8], _ contentType: String, _ code: Int) async throws {
            try await writer.write(.head(head(code, contentType, length: bytes.count)))
            if request?.method != .HEAD { try await writer.write(.body(ByteBuffer(bytes: bytes))) }
        }
        switch response {
        case .json(let json, let code): try await whole(json.bytes(), "application/json", code)
        case .text(let text, let code): try await whole(Array(text.utf8), "text/plain; charset=utf-8", code)
        case .bytes(let bytes, let contentType, let code): try await whole(bytes, contentType, code)
        case .stream(let contentType, let pieces):
            try await writer.write(.head(head(200, contentType, length: nil)))
            for try await piece in pieces { try await writer.write(.body(ByteBuffer(bytes: piece))) }
        case .relayed(let code, let headers, let pieces):
            let isHead = request?.method == .HEAD
            // An answer to HEAD has no body, however long it would be.
            let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? (isHead ? 0 : nil)
            extra += headers.filter { $0.name.lowercased() != "content-length" }
            try await writer.write(.head(head(code, nil, length: length)))
            for try await piece in pieces where !isHead { try await writer.write(.body(ByteBuffer(bytes: piece))) }
        case .with: break
        }
        if keepAlive { return try await writer.write(.end) }
        // Who closes next must know that all of it has gone: what is still queued then is lost.
        try await exchange.channel.writeAndFlush(ConnectionOutput.end).get()
    }
}

/// Closes a connection that does not get on: one that sends its request a byte a minute holds no place for ever.
final class Deadline: Sendable {
    private let channel: any Channel
    private let task = Mutex<Scheduled<Void>?>(nil)

    init(_ channel: any Channel, seconds: Int) {
        self.channel = channel
        set(seconds: seconds)
    }

    func set(seconds: Int) {
        let next = channel.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) { [channel] in channel.close(promise: nil) }
        task.withLock {
            $0?.cancel()
            $0 = next
        }
    }

    func lift() {
        task.withLock {
            $0?.cancel()
            $0 = nil
        }
    }
}
