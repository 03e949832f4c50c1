import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// The API, from another process: a `Client` of a daemon's Unix socket, or of any Kubernetes API server.
package struct HTTPClient: Client {
    private typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    let endpoint: APIEndpoint
    /// Under which name fields are managed that this client sets.
    private let fieldManager: String

    package init(_ endpoint: APIEndpoint, fieldManager: String = "minik") {
        self.endpoint = endpoint
        self.fieldManager = fieldManager
    }

    package init(socketPath: String) { self.init(APIEndpoint(socketPath: socketPath)) }

    /// One request and its answer, whole.
    package func send(
        _ method: String, _ target: String, body: JSON? = nil, contentType: String = "application/json", accept: String = "application/json"
    )
        async throws -> (code: Int, body: [UInt8])
    {
        var all: [UInt8] = []
        var status = 0
        for try await piece in try await stream(
            method, target, body: body, contentType: contentType, accept: accept, status: { status = $0 })
        { all += piece }
        return (status, all)
    }

    /// One request whose answer is handed on as it comes. Throws what the server answers instead of success.
    package func stream(
        _ method: String, _ target: String, body: JSON? = nil, contentType: String = "application/json", accept: String = "application/json"
    )
        async throws -> AsyncThrowingStream<[UInt8], any Error>
    {
        var code = 0
        let pieces = try await stream(method, target, body: body, contentType: contentType, accept: accept, status: { code = $0 })
        guard code >= 300 else { return pieces }
        var all: [UInt8] = []
        for try await piece in pieces { all += piece }
        throw HTTPClient.error(code, all)
    }

    /// A JSON answer; throws a `StatusError` for anything but success.
    package func json(
        _ method: String, _ target: String, body: JSON? = nil, contentType: String = "application/json", accept: String = "application/json"
    )
        async throws -> JSON
    {
        let (code, bytes) = try await send(method, target, body: body, contentType: contentType, accept: accept)
        guard code < 300 else { throw HTTPClient.error(code, bytes) }
        return try JSON(parsing: bytes)
    }

    private static func error(_ code: Int, _ bytes: [UInt8]) -> StatusError {
        if let status = try? JSON(parsing: bytes), status["kind"].string == "Status" { return StatusError(status: status) }
        return StatusError(code, .unknown, "the server answered \(code): \(String(decoding: bytes.prefix(200), as: UTF8.self))")
    }

    /// Nobody answers there.
    package struct Unreachable: Error, CustomStringConvertible {
        package let place: String
        package let reason: String
        init(_ place: String, _ reason: String) { (self.place, self.reason) = (place, reason) }

        package var description: String {
            "\(place.hasPrefix("/") ? "the daemon" : "the API server") does not answer at \(place): \(reason)"
        }
    }

    private func connected() async throws -> Connection {
        try await endpoint.connect { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(RequestBodyWrapper())
            return try Connection(wrappingChannelSynchronously: channel)
        }
    }

    private func stream(
        _ method: String, _ target: String, body: JSON?, contentType: String, accept: String, status: (Int) -> Void
    ) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        let connection = try await connected()
        let bytes = body?.bytes() ?? []
        var headers = try endpoint.headers()
        headers.add(contentsOf: ["Accept": accept, "Connection": "close", "Content-Length": String(bytes.count)])
        if body != nil { headers.add(name: "Content-Type", value: contentType) }
        let head = HTTPRequestHead(version: .http1_1, method: .init(rawValue: method), uri: endpoint.prefix + target, headers: headers)
        let parts = AsyncThrowingStream<Part, any Error>.held(cost: \.cost) { send in
            try await connection.executeThenClose { parts, writer in
                // In one go: a server that has seen enough answers and closes before the rest is written. Its answer
                // counts, not that the writing failed.
                try? await writer.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: bytes)), .end(nil)])
                for try await part in parts {
                    switch part {
                    case .head(let answer): try await send(.status(Int(answer.status.code)))
                    case .body(let buffer): try await send(.body(Array(buffer: buffer)))
                    case .end: return
                    }
                }
            }
        }
        for try await part in parts {
            guard case .status(let code) = part else { continue }
            status(code)
            return AsyncThrowingStream {
                var parts = parts.makeAsyncIterator()
                while let part = try await parts.next() { if case .body(let bytes) = part { return bytes } }
                return nil
            }
        }
        throw StatusError(503, .serviceUnavailable, "\(endpoint) closed the connection without an answer")
    }

    private enum Part: Sendable {
        case status(Int)
        case body([UInt8])

        var cost: Int { if case .body(let bytes) = self { bytes.count } else { 0 } }
    }

    // MARK: Client

    package func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        try await json("GET", resource.path(namespace: key.namespace, name: key.name))
    }

    package func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        let list = try await json("GET", resource.path(namespace: namespace))
        let items = HTTPClient.items(of: list).filter { selector?.matches($0["metadata"]["labels"].stringMap) ?? true }
        return (items, list["metadata"]["resourceVersion"].string.flatMap { Int($0) } ?? 0)
    }

    /// What a list holds, each with the kind that the list of a typed kind tells once for all.
    package static func items(of list: JSON) -> [JSON] {
        let kind = list["kind"].string.map { JSON.string($0.hasSuffix("List") ? String($0.dropLast(4)) : $0) } ?? .null
        return list["items"].items.map { item in
            var item = item
            if item["kind"].isNull { (item["apiVersion"], item["kind"]) = (list["apiVersion"], kind) }
            return item
        }
    }

    package func latest(_ resource: Resource) async throws -> Int {
        try await json("GET", resource.path(namespace: nil) + "?limit=1").metadata.revision
    }

    package func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
        WatchEvent, any Error
    > {
        let start = revision.map { "&resourceVersion=\($0)" } ?? ""
        return HTTPClient.events(try await stream("GET", resource.path(namespace: namespace) + "?watch=true\(start)"))
    }

    /// The events of a watch's answer: one JSON document a line.
    package static func events(_ pieces: AsyncThrowingStream<[UInt8], any Error>) -> AsyncThrowingStream<WatchEvent, any Error> {
        // What has been told waits in the connection until somebody asks for it: an event counts as all the room.
        .held(room: 1, cost: { _ in 1 }) { send in
            var line: [UInt8] = []
            for try await piece in pieces {
                for byte in piece {
                    guard byte == 0x0A else {
                        line.append(byte)
                        continue
                    }
                    let json = try JSON(parsing: line)
                    line = []
                    guard let kind = WatchEvent.Kind(rawValue: json["type"].string ?? "") else { throw StatusError(status: json["object"]) }
                    try await send(WatchEvent(kind, json["object"]))
                }
            }
        }
    }

    /// Who sets fields says so, and has every field checked.
    private var strictly: String { "?fieldManager=\(fieldManager)&fieldValidation=Strict" }

    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await json("POST", resource.path(namespace: object["metadata"]["namespace"].string ?? "default") + strictly, body: object)
    }

    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await json("PUT", path(resource, object) + strictly, body: object)
    }

    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await json("PUT", path(resource, object) + "/status", body: object)
    }

    /// The API answers a Binding with a Status: the pod is not told.
    package func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        _ = try await json("POST", Resource.pods.path(namespace: key.namespace, name: key.name) + "/binding", body: binding)
        return .null
    }

    private func path(_ resource: Resource, _ object: JSON) -> String {
        resource.path(namespace: object["metadata"]["namespace"].string ?? "default", name: object["metadata"]["name"].string ?? "")
    }

    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await json(
            "PATCH", resource.path(namespace: key.namespace, name: key.name) + strictly, body: patch,
            contentType: "application/merge-patch+json")
    }

    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        // As kubectl says it: of a job that is deleted without a word the pods would stay.
        let options: JSON = [
            "gracePeriodSeconds": JSON(gracePeriod), "propagationPolicy": "Background",
            "preconditions": uid.map { ["uid": .string($0)] } ?? .null,
        ]
        _ = try await json("DELETE", resource.path(namespace: key.namespace, name: key.name), body: options)
    }
}

final class RequestBodyWrapper: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPClientRequestPart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let bytes): .body(.byteBuffer(bytes))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
