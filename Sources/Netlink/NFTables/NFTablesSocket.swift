import CMnl
import CNftnl
import Glibc
import Model
import Rules

/// A socket to one namespace's nf_tables. Every call is one transaction: all of it holds, or nothing.
package struct NFTablesSocket: ~Copyable {
    private var socket: NetlinkSocket

    package init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        socket = try NetlinkSocket(NETLINK_NETFILTER, in: namespace)
    }

    /// `nft -f -` with the text of `changes`.
    package mutating func apply(_ changes: [Change], table: TableID) throws(NetlinkError) {
        guard !changes.isEmpty else { return }
        var batch = NFTablesBatch(table, firstSequence: socket.nextSequence())
        batch.append(all: changes)
        let last = batch.finish()
        defer { while socket.nextSequence() < last {} }
        let texts = batch.changesBySequence
        try batch.bytes.withUnsafeBufferPointer { (bytes: UnsafeBufferPointer<UInt8>) throws(NetlinkError) -> Void in
            try socket.send(batch: UnsafeRawBufferPointer(bytes), until: last) { sequence in
                texts[sequence].map { "nft \(changes[$0].text(table: table))" } ?? "nft: change table \(table)"
            }
        }
    }

    /// How many bytes a transaction sends to the kernel.
    package static func encodedSize(_ changes: [Change]) -> Int {
        var batch = NFTablesBatch(TableID(.ip, "t"), firstSequence: 1)
        batch.append(all: changes)
        _ = batch.finish()
        return batch.bytes.count
    }

    /// The table as it stands, nil when there is none. `nft list table FAMILY NAME`
    package mutating func read(_ table: TableID) throws(NetlinkError) -> Ruleset? { try reading(table)?.rules }

    /// The chains and rules of a table; of one that is not there, none.
    package mutating func outline(_ table: TableID) throws(NetlinkError) -> TableOutline {
        guard try hasTable(table) else { return TableOutline() }
        for _ in 0..<4 {
            do { return try RulesetReader.outline(table, &socket) } catch {
                if error.errno != EINTR { throw error }
            }
        }
        return try RulesetReader.outline(table, &socket)
    }

    private mutating func reading(_ table: TableID) throws(NetlinkError) -> RulesetReader.Reading? {
        guard try hasTable(table) else { return nil }
        for _ in 0..<4 {
            do { return try RulesetReader.read(table, &socket) } catch {
                // Somebody changed it while it was told: ask again.
                if error.errno != EINTR { throw error }
            }
        }
        return try RulesetReader.read(table, &socket)
    }

    /// Whether there is one that works: a dormant table is attached to nothing, and is made anew as if it were missing.
    private mutating func hasTable(_ table: TableID) throws(NetlinkError) -> Bool {
        var isDormant = false
        let message = NetlinkMessage(
            (Int(NFNL_SUBSYS_NFTABLES) << 8) | Int(NFT_MSG_GETTABLE.rawValue), NLM_F_ACK,
            nfgenmsg(nfgen_family: table.family.number, version: UInt8(NFNETLINK_V0), res_id: 0))
        message.put(NFTA_TABLE_NAME.rawValue, table.name)
        do {
            try socket.run(message, { "nft list table \(table)" }) { header in
                guard let found = nftnl_table_alloc() else { return }
                defer { nftnl_table_free(found) }
                guard nftnl_table_nlmsg_parse(header, found) == 0 else { return }
                isDormant = nftnl_table_get_u32(found, UInt16(NFTNL_TABLE_FLAGS)) & NFT_TABLE_F_DORMANT.rawValue != 0
            }
        } catch {
            if error.isNotFound { return false }
            throw error
        }
        return !isDormant
    }
}
