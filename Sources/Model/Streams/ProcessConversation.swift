/// What a client asks of a process it wants to talk to.
package struct StreamRequest: Sendable {
    package var container: String
    /// Empty: attach to the container's own process.
    package var command: [String]
    package var stdin: Bool
    package var tty: Bool
    /// Attach: what the process has said before comes first.
    package var fromStart = false

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

    package var cost: Int { if case .stdin(let bytes) = self { bytes.count } else { 0 } }
}

/// From a process to a client.
package enum StreamOutput: Sendable {
    case stdout([UInt8])
    case stderr([UInt8])
    case exit(Int)
    /// The process could not be started, or was lost.
    case failure(String)
}

package typealias StreamInputs = BoundedChannel<StreamInput>
/// Takes what a process says, and returns when there is room for more.
package typealias StreamOutputs = @Sendable (StreamOutput) async throws -> Void

extension BoundedChannel where Element == StreamInput {
    package convenience init() { self.init { $0.cost } }
}
