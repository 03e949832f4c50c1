import CMnl
import CNftnl
import Glibc
import Model
import Rules

/// A socket to one namespace's nf_tables. Every call is one transaction: all of it holds, or nothing.
package struct NFTablesSocket: ~Copyable {
    private var socket: NetlinkSocket
    private let family: TableFamily

    package init(in namespace: borrowing NetworkNamespace, family: TableFamily = .ip) throws(NetlinkError) {
        self.family = family
        socket = try NetlinkSocket(NETLINK_NETFILTER, in: namespace)
    }

    /// `nft -f -` with the text of `changes`.
    package mutating func apply(_ changes: [Change], table: String) throws(NetlinkError) {
        guard !changes.isEmpty else { return }
        var batch = NFTablesBatch(family: family, table: table, firstSequence: socket.nextSequence())
        batch.append(all: changes)
        let last = batch.finish()
        defer { while socket.nextSequence() < last {} }
        let texts = batch.changesBySequence, family = family
        try batch.bytes.withUnsafeBufferPointer { (bytes: UnsafeBufferPointer<UInt8>) throws(NetlinkError) -> Void in
            try socket.send(batch: UnsafeRawBufferPointer(bytes), until: last) { sequence in
                texts[sequence].map { "nft \(changes[$0].text(family: family, table: table))" }
                    ?? "nft: change table \(family.rawValue) \(table)"
            }
        }
    }

    /// How many bytes a transaction sends to the kernel.
    package static func encodedSize(_ changes: [Change]) -> Int {
        var batch = NFTablesBatch(family: .ip, table: "t", firstSequence: 1)
        batch.append(all: changes)
        _ = batch.finish()
        return batch.bytes.count
    }

    /// The table as it stands, nil when there is none. `nft list table FAMILY NAME`
    package mutating func read(_ table: String) throws(NetlinkError) -> Ruleset? { try reading(table)?.rules }

    /// The rules of a table by the kernel's handles, as `nft -a` shows them.
    package mutating func handles(_ table: String) throws(NetlinkError) -> [UInt64: Rule] { try reading(table)?.handles ?? [:] }

    private mutating func reading(_ table: String) throws(NetlinkError) -> RulesetReader.Reading? {
        guard try hasTable(table) else { return nil }
        for _ in 0..<4 {
            do { return try RulesetReader.read(family, table, &socket) } catch {
                // Somebody changed it while it was told: ask again.
                if error.errno != EINTR { throw error }
            }
        }
        return try RulesetReader.read(family, table, &socket)
    }

    private mutating func hasTable(_ name: String) throws(NetlinkError) -> Bool {
        let message = NetlinkMessage(
            (Int(NFNL_SUBSYS_NFTABLES) << 8) | Int(NFT_MSG_GETTABLE.rawValue), NLM_F_ACK,
            nfgenmsg(nfgen_family: family.number, version: UInt8(NFNETLINK_V0), res_id: 0))
        message.put(NFTA_TABLE_NAME.rawValue, name)
        do { try socket.execute(message, "nft list table \(family.rawValue) \(name)") } catch {
            if error.isNotFound { return false }
            throw error
        }
        return true
    }
}
