import Model
import Netlink

/// On which of a node's connections something is sent: those that are new, and those whose end has been put off since. The kernel counts
/// no packets of a connection unless it is told to (nf_conntrack_acct), but each one puts off the time at which it forgets it.
package struct ConnectionMoves: Sendable {
    package struct Connection: Hashable, Sendable {
        package let original: ConnectionTuple
        package let reply: ConnectionTuple

        package init(original: ConnectionTuple, reply: ConnectionTuple) { (self.original, self.reply) = (original, reply) }

        /// Its packets have other addresses or ports on their way than they were sent with.
        var isTranslated: Bool { original != reply.reversed }
    }

    /// Of more than these a picture shows none.
    package static let most = 20_000
    /// The kernel tells whole seconds: what is less may be rounding.
    private static let slack = 1.5

    /// When each will be forgotten; nil before the first look.
    private var ends: [Connection: Double]?

    package init() {}

    /// What there is at the first look has moved before.
    package mutating func moved(_ found: [(original: ConnectionTuple, reply: ConnectionTuple, seconds: UInt32)], now: Double)
        -> [Connection]
    {
        var next: [Connection: Double] = [:]
        var moved: [Connection] = []
        for (original, reply, seconds) in found.prefix(Self.most) {
            let connection = Connection(original: original, reply: reply), end = now + Double(seconds)
            guard let ends, let before = ends[connection] else {
                if ends != nil { moved.append(connection) }
                next[connection] = end
                continue
            }
            // Closing a connection brings its end nearer: that was a packet, too.
            let hasMoved = abs(end - before) > Self.slack
            if hasMoved { moved.append(connection) }
            next[connection] = hasMoved ? end : before
        }
        ends = next
        return moved
    }

    /// Each connection once, of those that several nodes track: as the first of them does, who knows what it was sent as.
    package static func once(_ connections: [Connection]) -> [Connection] {
        let continued = Set(connections.filter(\.isTranslated).map(\.reply.reversed))
        var seen: Set<Connection> = []
        return connections.filter { ($0.isTranslated || !continued.contains($0.original)) && seen.insert($0).inserted }
    }
}
