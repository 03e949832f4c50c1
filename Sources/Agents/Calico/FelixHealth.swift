import API
import Model
import Runtime
import Synchronization

/// Whether calico-node does its work: told to probes at 127.0.0.1:9099, and to its own program when a probe runs that.
/// (projectcalico/calico libcalico-go/lib/health)
final class FelixHealth: Responder {
    /// What has to be there once before it is ready.
    enum Part: Sendable, CaseIterable { case policies, network }

    let threads = RequestThreads(count: 1)
    private let missing = Mutex(Set(Part.allCases))
    private let waiting = Mutex<[AsyncStream<Void>.Continuation]>([])

    var isReady: Bool { missing.withLock(\.isEmpty) }

    func note(_ part: Part) {
        missing.withLock { _ = $0.remove(part) }
        if isReady { for waiter in waiting.withLock({ $0 }) { waiter.finish() } }
    }

    func awaitReady() async throws {
        let (stream, waiter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        waiting.withLock { $0.append(waiter) }
        if isReady { waiter.finish() }
        for await _ in stream {}
        try Task.checkCancellation()
    }

    /// Until cancelled.
    func serve(port: Int) async throws {
        let loopback = IPAddress(ipv4: 0x7F00_0001)
        let socket = try NodeSocket.listening(on: loopback, port: port, namespace: "/proc/self/ns/net").release()
        try await HTTPServer(self).run(on: .plain(socket)) { _ in }
    }

    func admit(_ request: HTTPRequest) async throws -> UserInfo { UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"]) }

    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        switch request.rawPath {
        case "/liveness": .text("ok\n")
        case "/readiness": isReady ? .text("ok\n") : .text("not ready\n", code: 503)
        default: .text("404 page not found\n", code: 404)
        }
    }
}
