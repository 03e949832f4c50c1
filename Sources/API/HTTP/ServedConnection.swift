import Model
import NIOCore
import NIOHTTP1

/// A connection: one request after another, until one makes it a stream. Who asks, and whether they may, is known before anything of
/// a request's body is kept.
struct ServedConnection {
    typealias Inputs = NIOAsyncChannelInboundStream<ConnectionInput>.AsyncIterator

    /// Bytes of a refused request that are read past, so that its client hears why.
    private static let longestRefused = 256 * 1024

    let responder: any Responder
    let exchange: HTTPServer.Exchange
    let peer: HTTPServer.Peer
    let bodies: RequestBytes

    /// Serves until the connection is over. When its client leaves, so does the work for it.
    func serve() async throws {
        defer { peer.deadline.lift() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [channel = exchange.channel] in try await channel.closeFuture.get() }
            group.addTask {
                try await exchange.executeThenClose { inputs, writer in
                    var inputs = inputs.makeAsyncIterator()
                    let writer = ConnectionWriter(writer: writer, channel: exchange.channel)
                    while case .part(.head(let head))? = try await inputs.next() {
                        peer.deadline.set(seconds: HTTPServer.patience)
                        guard try await take(head, &inputs, writer) else { return }
                        peer.deadline.set(seconds: HTTPServer.idle)
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// One request; false: it was the connection's last.
    private func take(_ head: HTTPRequestHead, _ inputs: inout Inputs, _ writer: HTTPServer.Writer) async throws -> Bool {
        let isWaiting = head.headers["Expect"].contains { $0.lowercased() == "100-continue" }
        func answer(_ response: HTTPResponse, keepAlive: Bool) async throws -> Bool {
            let answer = ServedAnswer(
                head: head, keepAlive: keepAlive && head.isKeepAlive, writer: writer, threads: responder.threads, deadline: peer.deadline)
            try await answer.send(response)
            return answer.keepAlive
        }
        let user: UserInfo
        do { user = try await responder.admit(request(head, body: [])) } catch {
            let isPast = isWaiting ? false : try await skipBody(&inputs)
            return try await answer(.failure(error), keepAlive: isPast)
        }
        if isWaiting { try await writer.write(.head(HTTPResponseHead(version: .http1_1, status: .continue))) }
        var body: [UInt8] = []
        defer { bodies.give(body.count, user.name) }
        do { try await read(&body, head, user, &inputs) } catch let error as StatusError {
            // Clients come back by themselves when they are told when.
            let hint = error.code == 429 ? [(name: "Retry-After", value: "1")] : []
            return try await answer(.with(headers: hint, .failure(error)), keepAlive: false)
        }
        let request = request(head, body: body)
        if request.isLongRunning { peer.deadline.lift() } else { peer.deadline.set(seconds: HTTPServer.patience, word: Self.timeout) }
        let streams = responder.streams { [channel = exchange.channel] in channel.close(promise: nil) }
        let response: HTTPResponse
        switch await streams?.negotiate(request, user) ?? StreamServer.Negotiation.none {
        case .none: response = await responder.respond(request, as: user)
        case .refused(let refusal): response = refusal
        case .accepted(let stream):
            peer.deadline.lift()
            try await streams?.serve(stream, request, &inputs, writer)
            return false
        }
        peer.deadline.lift()
        return try await answer(response, keepAlive: true)
    }

    private func request(_ head: HTTPRequestHead, body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: head.method.rawValue, target: head.uri, headers: head.headers.map { ($0.name, $0.value) }, body: body, peer: peer.user,
            isRefused: peer.tls.isRefused)
    }

    private func read(_ body: inout [UInt8], _ head: HTTPRequestHead, _ user: UserInfo, _ inputs: inout Inputs) async throws {
        let tooLarge = StatusError(413, .requestEntityTooLarge, "Request entity too large: limit is \(HTTPServer.largestBody)")
        if let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > HTTPServer.largestBody { throw tooLarge }
        while case .part(let part)? = try await inputs.next() {
            guard case .body(let bytes) = part else { return }
            guard body.count + bytes.readableBytes <= HTTPServer.largestBody else { throw tooLarge }
            guard bodies.take(bytes.readableBytes, user.name) else {
                throw StatusError(429, .tooManyRequests, "too many bytes of requests are being worked on, please try again later")
            }
            body += bytes.readableBytesView
        }
        throw CancellationError()
    }

    /// Reads past a request's body without keeping it; false when it is too long to wait for its end.
    private func skipBody(_ inputs: inout Inputs) async throws -> Bool {
        var skipped = 0
        while case .part(let part)? = try await inputs.next() {
            guard case .body(let bytes) = part else { return true }
            skipped += bytes.readableBytes
            if skipped > Self.longestRefused { return false }
        }
        return false
    }

    /// The answer to a request whose work takes too long. (k8s.io/apiserver/pkg/server/filters/timeout.go)
    private static let timeout: [ConnectionOutput] = {
        let body = StatusError(504, .timeout, "Timeout: request did not complete within the allotted timeout").status.bytes()
        let headers: HTTPHeaders = ["Content-Type": "application/json", "Content-Length": String(body.count), "Connection": "close"]
        return [
            .head(HTTPResponseHead(version: .http1_1, status: .gatewayTimeout, headers: headers)), .body(ByteBuffer(bytes: body)), .end,
        ]
    }()
}

extension HTTPRequest {
    /// Whether it may take as long as it likes, as upstream has it.
    fileprivate var isLongRunning: Bool {
        let place = Target.Place(path)
        return isTrue("watch") || place?.isWatch == true
            || ["exec", "attach", "proxy", "log", "portforward"].contains(place?.subresource ?? "")
    }
}
