import Model

/// What `kubectl logs` can ask for.
package struct LogOptions: Sendable {
    package var follow = false
    package var previous = false
    package var timestamps = false
    package var tailLines: Int?
    package var sinceSeconds: Int?
    package var sinceTime: Timestamp?
    package var limitBytes: Int?

    package init(
        follow: Bool = false, previous: Bool = false, timestamps: Bool = false, tailLines: Int? = nil, sinceSeconds: Int? = nil, sinceTime: Timestamp? = nil,
        limitBytes: Int? = nil
    ) {
        self.sinceTime = sinceTime
        self.limitBytes = limitBytes
        self.follow = follow
        self.previous = previous
        self.timestamps = timestamps
        self.tailLines = tailLines
        self.sinceSeconds = sinceSeconds
    }
}

/// What a client asks of a process it wants to talk to.
package struct StreamRequest: Sendable {
    package var container: String
    /// Empty: attach to the container's own process.
    package var command: [String]
    package var stdin: Bool
    package var tty: Bool

    package init(container: String, command: [String], stdin: Bool, tty: Bool) {
        self.container = container
        self.command = command
        self.stdin = stdin
        self.tty = tty
    }
}

/// From a client to a process.
package enum StreamInput: Sendable {
    case stdin([UInt8])
    case endOfInput
    case resize(rows: Int, columns: Int)
}

/// From a process to a client.
package enum StreamOutput: Sendable {
    case stdout([UInt8])
    case stderr([UInt8])
    case exit(Int)
    /// The process could not be started, or was lost.
    case failure(String)
}

/// The nodes' side of logs, exec and attach. The API finds the pod; whoever runs its containers does the rest.
package protocol PodStreams: Sendable {
    /// The container's log as bytes, in pieces; with `follow` until the container ends or the reader leaves.
    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error>
    /// Runs or joins a process. The output ends with `exit` or `failure`.
    func connect(_ pod: Pod, _ request: StreamRequest, input: AsyncStream<StreamInput>) async throws -> AsyncStream<StreamOutput>
    /// A socket connected to a port of the pod, from within: to its own loopback address. The caller owns it.
    func dial(_ pod: Pod, port: Int) async throws -> Int32
    /// A socket connected to an address that the cluster's nodes reach, from the control plane's node. The caller owns it.
    func dial(_ address: IPv4Address, port: Int) async throws -> Int32
}

extension PodStreams {
    package func dial(_ pod: Pod, port: Int) async throws -> Int32 { throw StatusError(501, "NotImplemented", "no network to dial in") }
    package func dial(_ address: IPv4Address, port: Int) async throws -> Int32 { throw StatusError(501, "NotImplemented", "no network to dial in") }
}

/// What pods and nodes use.
package protocol MetricsSource: Sendable {
    /// The CPU time per second (in cores' billionths) and the memory (bytes) of each container of each pod that runs.
    func pods() async -> [ObjectKey: [String: (cpu: Int, memory: Int)]]
    /// The same of each node.
    func nodes() async -> [String: (cpu: Int, memory: Int)]
}
