import Glibc
import Model
import Rules
import Synchronization

/// The nf_tables of one network namespace.
package actor KernelRulesets: RulesetTarget {
    /// A transaction of thousands of elements takes the kernel a while.
    private let executor = QueueExecutor("nftables")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where the kernel has a transaction, nobody else has that processor before it is over: one is always left to all other work.
    private static let lanes = (1..<max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))).map { _ in Turnstile() }
    private static let opened = Atomic(0)
    private let lane: Turnstile

    private let path: String
    private var socket: NFTablesSocket

    package init(namespace path: String) throws(NetlinkError) {
        self.path = path
        lane = Self.lanes[Self.opened.wrappingAdd(1, ordering: .relaxed).newValue % Self.lanes.count]
        socket = try NFTablesSocket(in: NetworkNamespace(path: path))
    }

    /// Turns to the namespace that now has the name.
    package func reopen() throws(NetlinkError) { socket = try NFTablesSocket(in: NetworkNamespace(path: path)) }

    package func apply(_ changes: [Change], table: TableID) async throws {
        try await lane.withTurn { try socket.apply(changes, table: table) }
    }

    /// The chains and rules of a table, without its sets.
    package func outline(_ table: TableID) throws -> TableOutline { try socket.outline(table) }

    package func read(_ table: TableID) async throws -> Ruleset? { try socket.read(table) }
}
