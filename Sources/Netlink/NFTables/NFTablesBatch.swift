import CMnl
import CNftnl
import Glibc
import Model
import Rules

/// The messages of one transaction, encoded by libnftnl.
struct NFTablesBatch {
    private(set) var bytes: [UInt8] = []
    /// Which change a message carries, for errors.
    private(set) var changesBySequence: [UInt32: Int] = [:]
    private let family: TableFamily
    private let table: String
    private var sequence: UInt32
    private var lastMessageOffset = 0
    private var nextSetID: UInt32 = 1

    private static let elementsPerMessage = 100

    init(_ table: TableID, firstSequence: UInt32) {
        family = table.family
        self.table = table.name
        sequence = firstSequence
        // NFNL_MSG_BATCH_BEGIN names the subsystem in res_id.
        appendControl(NFNL_MSG_BATCH_BEGIN)
    }

    /// The end of the run of changes from `start` that fits in one message.
    static func endOfElementRun(_ changes: [Change], from start: Int) -> Int {
        var end = start + 1
        while end < changes.count, end - start < elementsPerMessage {
            switch (changes[start], changes[end]) {
            case (.addElement(let a, _, _, _), .addElement(let b, _, _, _)) where a == b: end += 1
            case (.deleteElement(let a, _, _, _), .deleteElement(let b, _, _, _)) where a == b: end += 1
            default: return end
            }
        }
        return end
    }

    /// Appends changes in order; elements of one set go together, as many as a message holds.
    mutating func append(all changes: [Change]) {
        var index = 0
        while index < changes.count {
            let end = Self.endOfElementRun(changes, from: index)
            append(changes[index..<end])
            index = end
        }
    }

    /// Closes the batch; the sequence number whose answer ends the conversation.
    mutating func finish() -> UInt32 {
        let last = sequence - 1
        bytes.withUnsafeMutableBytes { bytes in
            var header = bytes.loadUnaligned(fromByteOffset: lastMessageOffset, as: nlmsghdr.self)
            header.nlmsg_flags |= UInt16(NLM_F_ACK)
            bytes.storeBytes(of: header, toByteOffset: lastMessageOffset, as: nlmsghdr.self)
        }
        appendControl(NFNL_MSG_BATCH_END)
        return last
    }

    private mutating func appendControl(_ type: Int32) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return }
            let header =
                type == NFNL_MSG_BATCH_BEGIN
                ? nftnl_batch_begin(start, sequence) : nftnl_batch_end(start, sequence)
            guard let header else { return }
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: Int(header.pointee.nlmsg_len)))
        }
        sequence += 1
    }

    /// Appends one message of the given type whose payload `build` writes.
    private mutating func message(
        _ type: nf_tables_msg_types, _ flags: Int32, _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        let capacity = 65536
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        defer { buffer.deallocate() }
        guard let header = nftnl_nlmsg_build_hdr(buffer, UInt16(type.rawValue), UInt16(family.number), UInt16(flags), sequence)
        else { return }
        build(header)
        lastMessageOffset = bytes.count
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: buffer, count: Int(header.pointee.nlmsg_len)))
        sequence += 1
    }

    /// Appends one change, or a run of elements of one set.
    mutating func append(_ run: ArraySlice<Change>) {
        guard let change = run.first else { return }
        let first = sequence
        switch change {
        case .addTable: tableMessage(NFT_MSG_NEWTABLE, NLM_F_CREATE)
        case .addOwnedTable: tableMessage(NFT_MSG_NEWTABLE, NLM_F_CREATE, NFT_TABLE_F_OWNER.rawValue)
        case .deleteTable: tableMessage(NFT_MSG_DELTABLE, 0)
        case .addChain(let name, let hook): chainMessage(NFT_MSG_NEWCHAIN, NLM_F_CREATE, name, hook)
        case .deleteChain(let name): chainMessage(NFT_MSG_DELCHAIN, 0, name, nil)
        case .flushChain(let name): flush(name)
        case .addRule(let chain, let rule): add(rule, to: chain)
        case .addSet(let name, let set): setMessage(NFT_MSG_NEWSET, NLM_F_CREATE, name, set)
        case .deleteSet(let name, let set): setMessage(NFT_MSG_DELSET, 0, name, set)
        case .addElement(let name, let set, _, _): elementMessage(NFT_MSG_NEWSETELEM, NLM_F_CREATE, name, set, run)
        case .deleteElement(let name, let set, _, _): elementMessage(NFT_MSG_DELSETELEM, 0, name, set, run)
        }
        for number in first..<sequence { changesBySequence[number] = run.startIndex }
    }

    private mutating func tableMessage(_ type: nf_tables_msg_types, _ flags: Int32, _ kind: UInt32 = 0) {
        guard let table = nftnl_table_alloc() else { return }
        defer { nftnl_table_free(table) }
        nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME), self.table)
        if kind != 0 { nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FLAGS), kind) }
        message(type, flags) { nftnl_table_nlmsg_build_payload($0, table) }
    }

    private mutating func chainMessage(_ type: nf_tables_msg_types, _ flags: Int32, _ name: String, _ hook: Hook?) {
        guard let chain = nftnl_chain_alloc() else { return }
        defer { nftnl_chain_free(chain) }
        nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TABLE), table)
        nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_NAME), name)
        if let hook {
            nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TYPE), hook.kind.rawValue)
            nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_HOOKNUM), hook.point.number)
            nftnl_chain_set_s32(chain, UInt16(NFTNL_CHAIN_PRIO), Int32(hook.priority))
            nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_POLICY), UInt32(NF_ACCEPT))
        }
        message(type, flags) { nftnl_chain_nlmsg_build_payload($0, chain) }
    }

    private mutating func flush(_ chain: String) {
        guard let rule = nftnl_rule_alloc() else { return }
        defer { nftnl_rule_free(rule) }
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_TABLE), table)
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_CHAIN), chain)
        message(NFT_MSG_DELRULE, 0) { nftnl_rule_nlmsg_build_payload($0, rule) }
    }

    private mutating func add(_ rule: Rule, to chain: String) {
        guard let encoded = nftnl_rule_alloc() else { return }
        defer { nftnl_rule_free(encoded) }
        nftnl_rule_set_str(encoded, UInt16(NFTNL_RULE_TABLE), table)
        nftnl_rule_set_str(encoded, UInt16(NFTNL_RULE_CHAIN), chain)
        nftnl_rule_set_u32(encoded, UInt16(NFTNL_RULE_FAMILY), UInt32(family.number))
        let encoder = ExpressionEncoder(rule: encoded, family: family)
        for statement in rule.statements {
            if case .randomJump(let chains) = statement {
                // The choice is a map without a name that lives and dies with its rule.
                let id = nextSetID
                nextSetID += 1
                anonymousMap(id, chains)
                encoder.randomJump(chains.count, setID: id)
            } else {
                encoder.encode(statement)
            }
        }
        if let comment = rule.comment {
            withUserData(NFTNL_UDATA_RULE_COMMENT, comment) { nftnl_rule_set_data(encoded, UInt16(NFTNL_RULE_USERDATA), $0, $1) }
        }
        message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND) { nftnl_rule_nlmsg_build_payload($0, encoded) }
    }

    private mutating func setMessage(_ type: nf_tables_msg_types, _ flags: Int32, _ name: String, _ set: NamedSet) {
        guard let encoded = nftnl_set_alloc() else { return }
        defer { nftnl_set_free(encoded) }
        let id = nextSetID
        nextSetID += 1
        set.describe(encoded, family: family, table: table, name: name, id: id)
        message(type, flags) { nftnl_set_nlmsg_build_payload($0, encoded) }
    }

    private mutating func anonymousMap(_ id: UInt32, _ chains: [String]) {
        let integerType: UInt32 = 4, hostByteOrder: UInt32 = 1
        guard let map = nftnl_set_alloc() else { return }
        nftnl_set_set_str(map, UInt16(NFTNL_SET_TABLE), table)
        nftnl_set_set_str(map, UInt16(NFTNL_SET_NAME), "__map%d")
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_ID), id)
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_FAMILY), UInt32(family.number))
        let flags = NFT_SET_ANONYMOUS.rawValue | NFT_SET_CONSTANT.rawValue | NFT_SET_MAP.rawValue
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_FLAGS), flags)
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_KEY_TYPE), integerType)
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_KEY_LEN), 4)
        nftnl_set_set_u32(map, UInt16(NFTNL_SET_DATA_TYPE), NFT_DATA_VERDICT.rawValue)
        if let data = nftnl_udata_buf_alloc(64) {
            nftnl_udata_put_u32(data, UInt8(NFTNL_UDATA_SET_KEYBYTEORDER.rawValue), hostByteOrder)
            nftnl_set_set_data(map, UInt16(NFTNL_SET_USERDATA), nftnl_udata_buf_data(data), nftnl_udata_buf_len(data))
            nftnl_udata_buf_free(data)
        }
        message(NFT_MSG_NEWSET, NLM_F_CREATE) { nftnl_set_nlmsg_build_payload($0, map) }
        nftnl_set_free(map)

        // A set per message, each with its share of the elements, all naming the same id.
        for start in stride(from: 0, to: chains.count, by: Self.elementsPerMessage) {
            guard let part = nftnl_set_alloc() else { return }
            nftnl_set_set_str(part, UInt16(NFTNL_SET_TABLE), table)
            nftnl_set_set_str(part, UInt16(NFTNL_SET_NAME), "__map%d")
            nftnl_set_set_u32(part, UInt16(NFTNL_SET_ID), id)
            for index in start..<min(start + Self.elementsPerMessage, chains.count) {
                guard let element = nftnl_set_elem_alloc() else { continue }
                var key = UInt32(index)
                nftnl_set_elem_set(element, UInt16(NFTNL_SET_ELEM_KEY), &key, 4)
                Verdict.jump(chains[index]).describe(element)
                nftnl_set_elem_add(part, element)
            }
            message(NFT_MSG_NEWSETELEM, NLM_F_CREATE) { nftnl_set_elems_nlmsg_build_payload($0, part) }
            nftnl_set_free(part)
        }
    }

    private mutating func elementMessage(
        _ type: nf_tables_msg_types, _ flags: Int32, _ name: String, _ set: NamedSet, _ run: ArraySlice<Change>
    ) {
        guard let encoded = nftnl_set_alloc() else { return }
        defer { nftnl_set_free(encoded) }
        nftnl_set_set_str(encoded, UInt16(NFTNL_SET_TABLE), table)
        nftnl_set_set_str(encoded, UInt16(NFTNL_SET_NAME), name)
        for change in run {
            switch change {
            case .addElement(_, _, let key, let data), .deleteElement(_, _, let key, let data):
                set.addElements(key, data, to: encoded)
            default: break
            }
        }
        message(type, flags) { nftnl_set_elems_nlmsg_build_payload($0, encoded) }
    }
}

extension Hook.Point {
    /// enum nf_inet_hooks
    var number: UInt32 {
        switch self {
        case .prerouting: 0
        case .input: 1
        case .forward: 2
        case .output: 3
        case .postrouting: 4
        }
    }
}

/// Calls `body` with `comment` packed as libnftnl user data of type `type`.
func withUserData(_ type: some RawRepresentable<UInt32>, _ comment: String, _ body: (UnsafeRawPointer, UInt32) -> Void) {
    guard let data = nftnl_udata_buf_alloc(256) else { return }
    defer { nftnl_udata_buf_free(data) }
    nftnl_udata_put_strz(data, UInt8(type.rawValue), Ruleset.keptComment(comment))
    body(nftnl_udata_buf_data(data), nftnl_udata_buf_len(data))
}
