import Model
import NIOCore
import NIOHTTP1
import NIOPosix

/// The proxy subresources: requests handed on to pods, Services and nodes. (kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services)
extension Router {
    func proxy(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        // `name`, `name:port` or `scheme:name:port`
        let parts = (target.name ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let (scheme, name, port) = parts.count == 3 ? (parts[0], parts[1], parts[2]) : ("", parts[0], parts.count == 2 ? parts[1] : "")
        guard scheme != "https" else { throw StatusError.badRequest("minik's proxy speaks HTTP to pods, not HTTPS") }
        let marker = "/proxy"
        let rest = request.rawPath.firstRange(of: marker).map { String(request.rawPath[$0.upperBound...]) } ?? ""
        let path = (rest.isEmpty ? "/" : rest) + (request.rawQuery.isEmpty ? "" : "?\(request.rawQuery)")
        let namespace = target.namespace ?? ""
        switch target.resource {
        case .pods:
            let pod = Pod(try await api.get(.pods, ObjectKey(namespace, name)))
            guard let address = pod.ip else { throw StatusError(503, "ServiceUnavailable", "address not allowed: pod \(name) has no address") }
            let number =
                Int(port) ?? pod.containers.lazy.compactMap { $0.port(named: port, protocol: "TCP") }.first ?? pod.containers.first?.ports.first?["containerPort"].int
                ?? 80
            return try await ProxiedRequest(request, path: path, to: "\(address):\(number)").send(over: try await dialling(address, number))
        case .services:
            let (address, number) = try await endpoint(ObjectKey(namespace, name), port)
            return try await ProxiedRequest(request, path: path, to: "\(address):\(number)").send(over: try await dialling(address, number))
        default:
            return try await kubelet(name, path)
        }
    }

    private func dialling(_ address: IPv4Address, _ port: Int) async throws -> Int32 {
        do { return try await streams.dial(address, port: port) } catch {
            throw StatusError(503, "ServiceUnavailable", "error trying to reach service: dial tcp \(address):\(port): \(error)")
        }
    }

    /// A ready endpoint of a Service, for the port of that name or number.
    private func endpoint(_ key: ObjectKey, _ port: String) async throws -> (IPv4Address, Int) {
        let service = Service(try await api.get(.services, key))
        guard let wanted = port.isEmpty ? service.ports.first : service.ports.first(where: { $0.name == port || "\($0.port)" == port }) else {
            throw StatusError(503, "ServiceUnavailable", "no service port \"\(port)\" found for service \"\(key.name)\"")
        }
        var found: [(IPv4Address, Int)] = []
        for slice in try await api.list(EndpointSlice.self, namespace: key.namespace) where slice.serviceKey == key {
            guard let number = slice.ports.first(where: { ($0["name"].string ?? "") == wanted.name })?["port"].int else { continue }
            for endpoint in slice.endpoints where endpoint["conditions"]["ready"].bool == true {
                if let address = endpoint["addresses"][0].string.flatMap({ IPv4Address($0) }) { found.append((address, number)) }
            }
        }
        guard let chosen = found.randomElement() else {
            throw StatusError(503, "ServiceUnavailable", "no endpoints available for service \"\(key.name)\"")
        }
        return chosen
    }

    /// What a node's kubelet would answer.
    private func kubelet(_ node: String, _ path: String) async throws -> HTTPResponse {
        _ = try await api.get(.nodes, ObjectKey("", node))
        switch path {
        case "/healthz": return .text("ok")
        case "/pods", "/pods/":
            let pods = try await api.list(Pod.self).filter { $0.nodeName == node }
            return .json(["kind": "PodList", "apiVersion": "v1", "metadata": .emptyObject, "items": .array(pods.map(\.json))])
        default: throw StatusError(404, "NotFound", "the server could not find the requested resource: minik's nodes answer /healthz and /pods")
        }
    }
}

/// A request on its way to another server, over a socket that reaches it.
private struct ProxiedRequest {
    private typealias Exchange = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    private let head: HTTPRequestHead
    private let body: [UInt8]

    /// What concerns one connection only (RFC 9110, section 7.6.1), and what was for us.
    private static let dropped: Set = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length", "authorization",
    ]

    init(_ request: HTTPRequest, path: String, to host: String) {
        var headers = HTTPHeaders(request.headers.filter { !Self.dropped.contains($0.name.lowercased()) })
        headers.add(name: "Host", value: host)
        headers.add(name: "Connection", value: "close")
        if !request.body.isEmpty { headers.add(name: "Content-Length", value: String(request.body.count)) }
        head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: path, headers: headers)
        body = request.body
    }

    func send(over descriptor: Int32) async throws -> HTTPResponse {
        let exchange: Exchange = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).withConnectedSocket(descriptor) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(RequestBodyWrapper())
                return try Exchange(wrappingChannelSynchronously: channel)
            }
        }
        let (answers, answer) = AsyncStream.makeStream(of: (Int, [(name: String, value: String)]).self)
        let (pieces, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        let (head, body) = (head, body)
        let work = Task {  // ends with the other server's answer, or with its reader
            do {
                try await exchange.executeThenClose { parts, writer in
                    try await writer.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: body)), .end(nil)])
                    for try await part in parts {
                        switch part {
                        case .head(let start):
                            answer.yield((Int(start.status.code), start.headers.filter { !Self.dropped.contains($0.name.lowercased()) }.map { ($0.name, $0.value) }))
                        case .body(let buffer): continuation.yield(Array(buffer: buffer))
                        case .end: return
                        }
                    }
                }
                continuation.finish()
            } catch { continuation.finish(throwing: error) }
            answer.finish()
        }
        continuation.onTermination = { _ in work.cancel() }
        guard let (code, headers) = await answers.first(where: { _ in true }) else {
            throw StatusError(503, "ServiceUnavailable", "error trying to reach service: EOF")
        }
        return .relayed(code: code, headers: headers, pieces)
    }
}
