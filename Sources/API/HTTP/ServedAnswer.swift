import Model
import NIOCore
import NIOHTTP1

/// Writes an answer, no faster than its client reads it.
struct ServedAnswer {
    let head: HTTPRequestHead
    let keepAlive: Bool
    let writer: HTTPServer.Writer
    let threads: RequestThreads
    let deadline: Deadline

    func send(_ response: HTTPResponse) async throws {
        var extra: [(name: String, value: String)] = []
        var response = response
        while case .with(let headers, let inner) = response {
            extra += headers
            response = inner
        }
        switch response {
        case .json(let json, let code):
            let bytes = try await threads.run(json.isLarge ? Int.max : 0) { json.bytes() }
            try await whole(bytes, "application/json", code, extra)
        case .text(let text, let code): try await whole(Array(text.utf8), "text/plain; charset=utf-8", code, extra)
        case .bytes(let bytes, let contentType, let code): try await whole(bytes, contentType, code, extra)
        case .stream(let contentType, let patience, let source):
            try await writer.write(.head(head(200, contentType, length: nil, extra)))
            try await source { try await write($0, patience: patience) }
        case .relayed(let code, let headers, let source):
            let isHead = head.method == .HEAD
            // An answer to HEAD has no body, however long it would be.
            let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) } ?? (isHead ? 0 : nil)
            extra += headers.filter { $0.name.lowercased() != "content-length" }
            try await writer.write(.head(head(code, nil, length: length, extra)))
            if !isHead { try await source { try await write($0, patience: nil) } }
        case .with: break
        }
        if keepAlive { return try await writer.write(.end) }
        try await writer.end()
    }

    private func head(_ code: Int, _ contentType: String?, length: Int?, _ extra: [(name: String, value: String)]) -> HTTPResponseHead {
        var headers: HTTPHeaders = ["Cache-Control": "no-cache, private"]
        if let contentType { headers.add(name: "Content-Type", value: contentType) }
        for (name, value) in extra { headers.add(name: name, value: value) }
        if let length {
            headers.add(name: "Content-Length", value: String(length))
        } else {
            headers.add(name: "Transfer-Encoding", value: "chunked")
        }
        if !keepAlive { headers.add(name: "Connection", value: "close") }
        return HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
    }

    private func whole(_ bytes: [UInt8], _ contentType: String, _ code: Int, _ extra: [(name: String, value: String)]) async throws {
        try await writer.write(.head(head(code, contentType, length: bytes.count, extra)))
        if head.method != .HEAD { try await write(bytes, patience: HTTPServer.patience) }
    }

    /// Piece by piece: each waits until there is room for it, `patience` seconds at most.
    private func write(_ bytes: [UInt8], patience: Int?) async throws {
        for start in stride(from: 0, to: bytes.count, by: ConnectionWriter.piece) {
            if let patience { deadline.set(seconds: patience) }
            try await writer.write(.body(ByteBuffer(bytes: bytes[start..<min(start + ConnectionWriter.piece, bytes.count)])))
        }
        if patience != nil { deadline.lift() }
    }
}

extension JSON {
    /// Whether it is a list that takes a while to write out.
    fileprivate var isLarge: Bool { self["items"].array?.count ?? 0 > 64 || self["rows"].array?.count ?? 0 > 64 }
}
