import API
import Model
import Runtime
import TLS

/// A port of a node at which a component says that it is well.
struct HealthPort: Responder {
    enum Reading { case status, etcd }

    let threads = RequestThreads(count: 1)
    private let reading: Reading
    /// For those that speak TLS: one of their own, as components make where they are given none.
    private static let identity = Result { () throws(TLSError) in
        let authority = try CertificateAuthority(commonName: "localhost")
        return try TLSContext(certificate: authority.certificate, key: authority.key, clientAuthority: authority.certificate)
    }

    init(_ reading: Reading = .status) { self.reading = reading }

    func admit(_ request: HTTPRequest) async throws -> UserInfo { UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"]) }

    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        switch (reading, request.path.first) {
        case (.etcd, "health"): .json(["health": "true"])
        case (_, "healthz"), (_, "livez"), (_, "readyz"): .text("ok")
        default: .text("Unauthorized", code: 401)
        }
    }

    /// Serves until cancelled.
    func run(on address: IPAddress, port: Int, namespace: String, isSecure: Bool) async throws {
        let socket = try NodeSocket.listening(on: address, port: port, namespace: namespace).release()
        let server = HTTPServer(self)
        try await server.run(on: isSecure ? .socket(socket, try Self.identity.get()) : .plain(socket)) { _ in }
    }
}
