import Model
import Rules

/// The nf_tables of one network namespace.
package actor KernelRulesets: RulesetTarget {
    /// A transaction of thousands of elements takes the kernel a while.
    private let executor = QueueExecutor("nftables")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let path: String
    private var socket: NFTablesSocket

    package init(namespace path: String) throws(NetlinkError) {
        self.path = path
        socket = try NFTablesSocket(in: NetworkNamespace(path: path))
    }

    /// Turns to the namespace that now has the name.
    package func reopen() throws(NetlinkError) { socket = try NFTablesSocket(in: NetworkNamespace(path: path)) }

    package func apply(_ changes: [Change], table: TableID) async throws {
        try socket.apply(changes, table: table)
    }

    /// The rules of a table by the kernel's handles.
    package func handles(_ table: TableID) throws -> [UInt64: Rule] { try socket.handles(table) }

    package func read(_ table: TableID) async throws -> Ruleset? { try socket.read(table) }
}
