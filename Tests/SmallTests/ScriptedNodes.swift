import Model

/// Nodes that answer as a test tells them; by themselves nothing runs on them.
struct ScriptedNodes: NodeDirectory, NodeServices {
    var log: @Sendable (_ pod: Pod, _ container: String) -> ByteSource = { _, _ in { _ in } }
    var used = NodeUsage(node: NodeUsage.Amount(cpu: 0, memory: 0), pods: [:])

    func services(of node: String) -> (any NodeServices)? { self }
    var controlPlane: any NodeServices { self }

    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource { log(pod, container) }
    /// What runs says what its log says.
    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws {
        try await log(pod, request.container)({ try await output(.stdout($0)) })
    }
    func dial(_ pod: Pod, port: Int) async throws -> Int32 { throw StatusError(501, .notImplemented, "no network to dial in") }
    func dial(_ address: IPAddress, port: Int) async throws -> Int32 { throw StatusError(501, .notImplemented, "no network to dial in") }
    func usage() async throws -> NodeUsage { used }
}
