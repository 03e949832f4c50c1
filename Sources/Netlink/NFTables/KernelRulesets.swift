import Model
import Rules

/// The nf_tables of one family in one network namespace.
package actor KernelRulesets: RulesetTarget {
    private let path: String
    private var socket: NFTablesSocket

    package nonisolated let family: TableFamily

    package init(namespace path: String, family: TableFamily = .ip) throws(NetlinkError) {
        self.path = path
        self.family = family
        socket = try NFTablesSocket(in: NetworkNamespace(path: path), family: family)
    }

    /// Turns to the namespace that now has the name.
    package func reopen() throws(NetlinkError) { socket = try NFTablesSocket(in: NetworkNamespace(path: path), family: family) }

    package func apply(_ changes: [Change], table: String) async throws {
        try socket.apply(changes, table: table)
    }

    /// The rules of a table by the kernel's handles.
    package func handles(_ table: String) throws -> [UInt64: Rule] { try socket.handles(table) }

    package func read(_ table: String) async throws -> Ruleset? { try socket.read(table) }
}
