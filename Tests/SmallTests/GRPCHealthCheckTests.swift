import Runtime
import Testing

/// The frames below are built by hand from RFC 9113: length, type, flags, stream, payload.
@Suite("gRPC health checks")
struct GRPCHealthCheckTests {
    private static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ payload: [UInt8] = [], stream: UInt8 = 1) -> [UInt8] {
        [0, 0, UInt8(payload.count), type, flags, 0, 0, 0, stream] + payload
    }

    private static let settings = frame(4, stream: 0), acknowledged = frame(4, 1, stream: 0), headers = frame(1, 4, [0x88]),
        trailers = frame(1, 5, [0x88])

    private static func answer(_ status: [UInt8]) -> [UInt8] {
        settings + acknowledged + headers + frame(0, 0, [0, 0, 0, 0, UInt8(status.count)] + status) + trailers
    }

    @Test(
        "the server's status decides",
        arguments: [
            ([0x08, 1], "serving"), ([0x08, 2], "NOT_SERVING"), ([0x08, 3], "SERVICE_UNKNOWN"), ([], "UNKNOWN"),
        ])
    func status(_ status: [UInt8], _ expected: String) {
        var check = GRPCHealthCheck()
        let verdict = check.take(Self.answer(status))
        #expect(verdict == (expected == "serving" ? .serving : .unhealthy("service unhealthy (responded with \"\(expected)\")")))
    }

    @Test("an answer may come in any pieces")
    func pieces() {
        var check = GRPCHealthCheck()
        let verdicts = Self.answer([0x08, 1]).map { check.take([$0]) }
        #expect(
            verdicts.firstIndex { $0 != nil } == Self.answer([0x08, 1]).count - Self.trailers.count - 1, "as soon as the message is whole")
        #expect(verdicts.compactMap { $0 }.first == .serving)
    }

    @Test("trailers without a message, a reset, and what is no HTTP/2 are no health")
    func refusals() {
        for bytes in [
            Self.settings + Self.trailers, Self.settings + Self.frame(3, 0, [0, 0, 0, 1]),
            Self.frame(7, 0, [0, 0, 0, 0, 0, 0, 0, 1], stream: 0),
        ] {
            var check = GRPCHealthCheck()
            guard case .unhealthy? = check.take(bytes) else {
                Issue.record("\(bytes) passes as healthy")
                continue
            }
        }
        var check = GRPCHealthCheck()
        guard case .unhealthy? = check.take(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)) else {
            Issue.record("HTTP/1.1 passes")
            return
        }
    }

    @Test("the request is a preface, settings, headers of a gRPC call and the service's name")
    func request() {
        let bytes = GRPCHealthCheck.request(service: "db", authority: "10.244.1.2:5000")
        #expect(bytes.starts(with: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.settings))
        let text = String(decoding: bytes, as: UTF8.self)
        for word in [":method", "POST", "/grpc.health.v1.Health/Check", "10.244.1.2:5000", "application/grpc", "trailers"] {
            #expect(text.contains(word))
        }
        #expect(Array(bytes.suffix(9 + 9)) == Self.frame(0, 1, [0, 0, 0, 0, 4, 0x0A, 2] + Array("db".utf8)))
        #expect(Array(GRPCHealthCheck.request(service: "", authority: "x").suffix(9 + 5)) == Self.frame(0, 1, [0, 0, 0, 0, 0]))
    }
}
