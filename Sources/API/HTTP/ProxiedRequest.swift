import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// A request on its way to another server, over a socket that reaches it.
struct ProxiedRequest {
    private typealias Exchange = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    private let head: HTTPRequestHead
    private let body: [UInt8]
    /// What stands before the path of the other server on this one.
    private let prefix: String
    private let host: String
    private let isSecure: Bool

    /// What concerns one connection only (RFC 9110, section 7.6.1), and what was for us.
    private static let dropped: Set = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "authorization",
    ]

    private static let largestPage = 32 << 20

    init(_ request: HTTPRequest, path: String, prefix: String, to host: String, isSecure: Bool) {
        (self.prefix, self.host, self.isSecure) = (prefix, host, isSecure)
        var headers = HTTPHeaders(
            request.headers.filter { !Self.dropped.contains($0.name.lowercased()) && $0.name.lowercased() != "content-length" })
        headers.add(name: "Host", value: host)
        headers.add(name: "Connection", value: "close")
        if !request.body.isEmpty { headers.add(name: "Content-Length", value: String(request.body.count)) }
        head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: path, headers: headers)
        body = request.body
    }

    func send(over descriptor: Int32) async throws -> HTTPResponse {
        let tls = isSecure ? try TLSContext.trustingAnyone() : nil
        let exchange: Exchange = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).withConnectedSocket(descriptor) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls)) }
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(RequestBodyWrapper())
                return try Exchange(wrappingChannelSynchronously: channel)
            }
        }
        let (head, body) = (head, body)
        let parts = AsyncThrowingStream<Part, any Error>.held(cost: \.cost) { send in
            try await exchange.executeThenClose { parts, writer in
                try await writer.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: body)), .end(nil)])
                for try await part in parts {
                    switch part {
                    case .head(let start):
                        try await send(
                            .head(
                                Int(start.status.code),
                                start.headers.filter { !Self.dropped.contains($0.name.lowercased()) }.map { ($0.name, $0.value) }))
                    case .body(let buffer): try await send(.body(Array(buffer: buffer)))
                    case .end: return
                    }
                }
            }
        }
        for try await part in parts {
            guard case .head(let code, let headers) = part else { continue }
            return try await relay(code, headers) { sink in
                for try await part in parts { if case .body(let bytes) = part { try await sink(bytes) } }
            }
        }
        throw StatusError(503, .serviceUnavailable, "error trying to reach service: EOF")
    }

    private enum Part: Sendable {
        case head(Int, [(name: String, value: String)])
        case body([UInt8])

        var cost: Int { if case .body(let bytes) = self { bytes.count } else { 0 } }
    }

    /// The answer as the client may use it: what leads to the other server's root leads there through the proxy.
    private func relay(_ code: Int, _ headers: [(name: String, value: String)], _ source: @escaping ByteSource) async throws -> HTTPResponse
    {
        let links = ProxiedLinks(prefix: prefix, host: host)
        var headers = headers.map { name, value in name.lowercased() == "location" ? (name, links.rewrite(url: value)) : (name, value) }
        func value(_ wanted: String) -> String { headers.first { $0.0.lowercased() == wanted }?.1.lowercased() ?? "" }
        guard value("content-type").hasPrefix("text/html"), ["", "identity"].contains(value("content-encoding")), head.method != .HEAD
        else {
            return .relayed(code: code, headers: headers, source)
        }
        var page: [UInt8] = []
        for try await piece in AsyncThrowingStream.held(source) {
            page += piece
            guard page.count <= Self.largestPage else {
                throw StatusError(
                    502, .badGateway, "the page is larger than \(Self.largestPage) bytes: minik rewrites its links as a whole")
            }
        }
        let rewritten = links.rewrite(page: page)
        headers.removeAll { $0.0.lowercased() == "content-length" }
        headers.append(("Content-Length", String(rewritten.count)))
        return .relayed(code: code, headers: headers) { try await $0(rewritten) }
    }
}
