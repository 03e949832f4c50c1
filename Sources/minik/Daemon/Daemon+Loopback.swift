import API
import Host
import Model
import Runtime
import TLS

extension Daemon {
    /// The API for this machine, at the port that its kubeconfigs know.
    func serveMachine(
        _ server: HTTPServer, _ tls: TLSContext, _ report: @Sendable (String) -> Void, ready: @escaping @Sendable () -> Void
    ) async throws {
        let kept = Files.text(paths.apiPort).flatMap { Int($0.trimmed) }
        let keep: @Sendable (Int?) -> Void = { [paths] port in
            if let port, port != kept { try? Files.write("\(port)\n", to: paths.apiPort, mode: 0o600) }
            ready()
        }
        do { try await server.run(on: .tcp(host: "127.0.0.1", port: kept ?? 0, tls), ready: keep) } catch {
            guard kept != nil, !Task.isCancelled else { throw error }
            report("127.0.0.1:\(kept ?? 0) is taken (\(error)); the API moves to another port: run minik up again to renew the kubeconfig")
            try await server.run(on: .tcp(host: "127.0.0.1", port: 0, tls), ready: keep)
        }
    }
}
