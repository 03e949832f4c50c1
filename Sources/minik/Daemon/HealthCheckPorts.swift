import API
import Glibc
import Model
import Proxy
import Runtime

/// The ports of one node at which load balancers ask whether it has endpoints of a Service: each a small HTTP server on the node's address
/// of one family.
/// (kubernetes pkg/proxy/healthcheck, service_health.go)
actor HealthCheckPorts: ServiceHealthTarget {
    private let node: String
    private let address: IPAddress
    private let namespace: String
    private let client: any Client
    private let report: @Sendable (String) -> Void
    private var healths: [ObjectKey: ServiceHealth] = [:]
    private var servers: [ObjectKey: (port: UInt16, task: Task<Void, Never>)] = [:]
    /// The first of them, whose threads all share.
    private var first: HTTPServer?
    private let threads = RequestThreads(count: 1)

    init(node: NodeView, paths: ClusterPaths, client: any Client, report: @escaping @Sendable (String) -> Void) {
        (self.node, address) = (node.name, node.address)
        namespace = paths.nodeNetns(node.name)
        self.client = client
        self.report = report
    }

    func serve(_ healths: [ObjectKey: ServiceHealth]) async {
        self.healths = healths
        for (key, server) in servers where healths[key]?.port != server.port { await close(key) }
        for (key, health) in healths where servers[key] == nil { await open(key, health.port) }
    }

    /// Again, after the node has got another network namespace.
    func reopen() async {
        for key in servers.keys { await close(key) }
        await serve(healths)
    }

    fileprivate func health(of key: ObjectKey) -> ServiceHealth? { healths[key] }

    private func close(_ key: ObjectKey) async {
        guard let server = servers.removeValue(forKey: key) else { return }
        server.task.cancel()
        await server.task.value
    }

    private func open(_ key: ObjectKey, _ port: UInt16) async {
        let responder = HealthResponder(service: key, ports: self, threads: threads)
        let server = HTTPServer(responder, sharing: first)
        first = first ?? server
        do {
            let socket = try NodeSocket.listening(on: address, port: Int(port), namespace: namespace).release()
            let task = Task { [report] in
                do { try await server.run(on: .plain(socket)) { _ in } } catch {
                    if !Task.isCancelled { report("health checks of Service \(key) at port \(port): \(error)") }
                }
            }
            servers[key] = (port, task)
        } catch {
            let words = "node \(node) failed to start healthcheck \"\(key)\" on port \(port): \(error)"
            report(words)
            guard let service = try? await client.find(Service.self, key) else { return }
            await client.recordEvent(
                about: service, type: "Warning", reason: "FailedToStartServiceHealthcheck", message: words, component: "kube-proxy",
                node: node)
        }
    }
}

/// Answers everybody, whatever the path.
private struct HealthResponder: Responder {
    let service: ObjectKey
    let ports: HealthCheckPorts
    let threads: RequestThreads

    func admit(_ request: HTTPRequest) async throws -> UserInfo { UserInfo(name: "system:anonymous", groups: ["system:unauthenticated"]) }

    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        guard let health = await ports.health(of: service) else { return .text("", code: 503) }
        let answer = HTTPResponse.bytes(
            Array(health.text(service).utf8), contentType: "application/json", code: health.localEndpoints > 0 ? 200 : 503)
        return .with(
            headers: [("X-Content-Type-Options", "nosniff"), ("X-Load-Balancing-Endpoint-Weight", "\(health.localEndpoints)")], answer)
    }
}
