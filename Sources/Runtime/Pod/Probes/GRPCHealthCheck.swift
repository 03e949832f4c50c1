/// One question to a gRPC server after its health, as bytes: what is sent, and what the answer means. It speaks just the HTTP/2 that this
/// takes. (grpc/grpc doc/health-checking.md; RFC 9113; RFC 7541)
package struct GRPCHealthCheck: Sendable {
    /// What the server says of the service.
    package enum Verdict: Sendable, Equatable {
        case serving
        /// In the kubelet's words.
        case unhealthy(String)
    }

    private enum Frame {
        static let data: UInt8 = 0, headers: UInt8 = 1, reset: UInt8 = 3, settings: UInt8 = 4, goAway: UInt8 = 7
        static let endOfStream: UInt8 = 1, acknowledgement: UInt8 = 1, endOfHeaders: UInt8 = 4
    }

    private static let statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]

    private var pending: [UInt8] = []
    private var message: [UInt8] = []

    package init() {}

    /// The connection's preface and the whole request, in one piece.
    package static func request(service: String, authority: String) -> [UInt8] {
        let headers: [(String, String)] = [
            (":method", "POST"), (":scheme", "http"), (":path", "/grpc.health.v1.Health/Check"), (":authority", authority),
            ("content-type", "application/grpc"),
            ("user-agent", "kube-probe/1.36"), ("te", "trailers"),
        ]
        // Literal fields that are not indexed, without compression: any decoder takes them.
        let block: [UInt8] = headers.flatMap { name, value -> [UInt8] in [0] + string(name) + string(value) }
        let name = Array(service.utf8)
        let body: [UInt8] = name.isEmpty ? [] : [0x0A] + varint(name.count) + name
        return Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(Frame.settings, 0, stream: 0, [])
            + frame(Frame.headers, Frame.endOfHeaders, stream: 1, block)
            + frame(Frame.data, Frame.endOfStream, stream: 1, [0] + bigEndian(body.count, 4) + body)
    }

    /// What to send once the server has shown its settings.
    package static let acknowledgement = frame(Frame.settings, Frame.acknowledgement, stream: 0, [])

    /// Takes what the server sent; nil until that tells its health.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> Verdict? {
        pending += bytes
        while pending.count >= 9 {
            let length = Int(pending[0]) << 16 | Int(pending[1]) << 8 | Int(pending[2])
            guard length <= 1 << 16 else { return .unhealthy("error: health rpc probe failed: the server does not speak gRPC") }
            guard pending.count >= 9 + length else { return nil }
            let type = pending[3], isLast = pending[4] & Frame.endOfStream != 0
            let payload = pending[9..<(9 + length)]
            pending.removeFirst(9 + length)
            switch type {
            case Frame.data:
                message += payload
                if let verdict = judge() { return verdict }
                if isLast { return Self.noAnswer }
            case Frame.headers where isLast, Frame.reset, Frame.goAway: return Self.noAnswer
            default: break
            }
        }
        return nil
    }

    private static let noAnswer = Verdict.unhealthy(
        "this server does not implement the grpc health protocol (grpc.health.v1.Health) for the service asked after")

    /// A HealthCheckResponse behind its five-byte prefix: field 1, the status.
    private func judge() -> Verdict? {
        guard message.count >= 5 else { return nil }
        let length = message[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard message.count >= 5 + length else { return nil }
        let body = message[5..<(5 + length)]
        let status = body.count >= 2 && body[body.startIndex] == 0x08 ? Int(body[body.startIndex + 1]) : 0
        if status == 1 { return .serving }
        return .unhealthy(
            "service unhealthy (responded with \"\(Self.statuses.indices.contains(status) ? Self.statuses[status] : "\(status)")\")")
    }

    private static func frame(_ type: UInt8, _ flags: UInt8, stream: Int, _ payload: [UInt8]) -> [UInt8] {
        bigEndian(payload.count, 3) + [type, flags] + bigEndian(stream, 4) + payload
    }

    private static func bigEndian(_ number: Int, _ width: Int) -> [UInt8] {
        (0..<width).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// A header's name or value (RFC 7541, 5.2), never longer than a gRPC service's name may be.
    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return bytes.count < 127 ? [UInt8(bytes.count)] + bytes : [127] + varint(bytes.count - 127) + bytes
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var out: [UInt8] = [], rest = number
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }
}
