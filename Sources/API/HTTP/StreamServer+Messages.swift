import Model
import NIOCore
import NIOWebSocket

/// Logs and watches as the messages of a WebSocket, for clients that are web pages. (k8s.io/apimachinery/pkg/util/httpstream/wsstream,
/// Reader)
extension StreamServer {
    /// How a piece of an answer becomes a message.
    struct MessageEncoding: Sendable {
        static let binary = "binary.k8s.io", base64 = "base64.binary.k8s.io"

        private let subprotocol: String

        init(_ subprotocol: String) { self.subprotocol = subprotocol }

        func frame(_ bytes: [UInt8]) -> WebSocketFrame {
            if subprotocol == Self.base64 {
                return WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: Base64.encode(bytes)))
            }
            return WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: bytes))
        }
    }

    /// Whether a request wants its answer as messages, and what the answer is.
    func negotiateMessages(_ request: HTTPRequest, _ user: UserInfo) async -> Negotiation {
        guard request.method == "GET", Self.list(request, "Upgrade").contains(where: { $0.lowercased() == "websocket" }),
            let key = request.header("Sec-WebSocket-Key"), request.isTrue("watch") || Target.Place(request.path)?.subresource == "log"
        else { return .none }
        let offered = Self.list(request, "Sec-WebSocket-Protocol")
        let chosen = offered.first { [MessageEncoding.binary, MessageEncoding.base64].contains($0) }
        guard chosen != nil || offered.isEmpty else {
            let words =
                "unable to negotiate a subprotocol: the client offers [\(offered.joined(separator: " "))], the server speaks [\(MessageEncoding.binary) \(MessageEncoding.base64)]"
            return .refused(.json(StatusError(403, .forbidden, words).status, code: 403))
        }
        let response = await router.respond(request, as: user)
        guard case .stream(_, _, let source) = response else { return .refused(response) }
        return .accepted(.messages(subprotocol: chosen ?? "", key: key, source))
    }

    func send(_ source: @escaping ByteSource, _ encoding: MessageEncoding, _ inputs: inout Inputs, _ writer: Writer) async throws {
        func take(_ input: ConnectionInput) -> Taken {
            guard case .frame(let frame) = input else { return .none }
            switch frame.opcode {
            case .connectionClose: return .over
            case .ping: return .reply(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
            default: return .none
            }
        }
        try await run(&inputs, take: take, reply: { try await writer.write(.frame($0)) }) { _ in
            try await source { try await writer.write(.frame(encoding.frame($0))) }
            try await farewell(writer)
        }
    }
}
