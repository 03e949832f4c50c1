import Model

/// The nodes' side of logs, exec and attach. The API finds the pod; whoever runs its containers does the rest.
package protocol PodStreams: Sendable {
    /// The container's log; with `follow` until the container ends or the reader leaves.
    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource
    /// Runs or joins a process, until it ends: the last output is `exit` or `failure`.
    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws
    /// A socket connected to a port of the pod, from within: to its own loopback address. The caller owns it.
    func dial(_ pod: Pod, port: Int) async throws -> Int32
    /// A socket connected to an address that the cluster's nodes reach, from the control plane's node. The caller owns it.
    func dial(_ address: IPAddress, port: Int) async throws -> Int32
}

extension PodStreams {
    package func dial(_ pod: Pod, port: Int) async throws -> Int32 { throw StatusError(501, .notImplemented, "no network to dial in") }
    package func dial(_ address: IPAddress, port: Int) async throws -> Int32 {
        throw StatusError(501, .notImplemented, "no network to dial in")
    }
}

/// What pods and nodes use.
package protocol MetricsSource: Sendable {
    /// The CPU time per second (in cores' billionths) and the memory (bytes) of each container of each pod that runs.
    func pods() async -> [ObjectKey: [String: (cpu: Int, memory: Int)]]
    /// The same of each node.
    func nodes() async -> [String: (cpu: Int, memory: Int)]
}
