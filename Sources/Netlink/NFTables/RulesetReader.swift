import CMnl
import CNftnl
import Glibc
import Model
import Rules

/// Reads one table as it stands in the kernel, in the form that `Ruleset.asKept` gives to what we put there.
/// `nft list table FAMILY NAME`
struct RulesetReader {
    private let table: TableID
    private var chains: [String: Chain] = [:]
    private var sets: [String: NamedSet] = [:]
    private var setNames: [String] = []
    private var elements: [String: [[Value]: ElementData]] = [:]
    private var anonymousMaps: [String: [String]] = [:]
    private var handles: [UInt64: Rule] = [:]
    private var points: [String: Hook.Point] = [:]

    /// A table and the kernel's handles of its rules.
    struct Reading {
        var rules = Ruleset()
        var handles: [UInt64: Rule] = [:]
    }

    /// Asks `socket` for chains and rules alone: sets may be long.
    static func outline(_ table: TableID, _ socket: inout NetlinkSocket) throws(NetlinkError) -> TableOutline {
        var reader = RulesetReader(table)
        try reader.readChains(&socket)
        try reader.readSets(&socket)
        // What no set declares stands in a rule.
        for name in reader.setNames where reader.sets[name] == nil { try reader.readElements(of: name, &socket) }
        try reader.readRules(&socket)
        return TableOutline(points: reader.points, rules: reader.handles)
    }

    /// Asks `socket` for everything; what it may not find is an error, for the table is known to be there.
    static func read(_ table: TableID, _ socket: inout NetlinkSocket) throws(NetlinkError) -> Reading {
        var reader = RulesetReader(table)
        try reader.readChains(&socket)
        try reader.readSets(&socket)
        for name in reader.setNames { try reader.readElements(of: name, &socket) }
        try reader.readRules(&socket)
        var reading = Reading()
        reading.rules.chains = reader.chains
        reading.rules.sets = reader.sets
        reading.rules.elements = reader.elements
        reading.handles = reader.handles
        return reading
    }

    private init(_ table: TableID) { self.table = table }

    private func request(_ type: nf_tables_msg_types, _ flags: Int32, _ attributes: (borrowing NetlinkMessage) -> Void) -> NetlinkMessage {
        let message = NetlinkMessage(
            Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(type.rawValue), flags,
            nfgenmsg(nfgen_family: table.family.number, version: UInt8(NFNETLINK_V0), res_id: 0))
        attributes(message)
        return message
    }

    private mutating func readChains(_ socket: inout NetlinkSocket) throws(NetlinkError) {
        let table = table
        var found: [String: Chain] = [:], points: [String: Hook.Point] = [:]
        try socket.run(request(NFT_MSG_GETCHAIN, NLM_F_DUMP) { _ in }, { "nft list chains \(table.family.rawValue)" }) { header in
            guard let chain = nftnl_chain_alloc() else { return }
            defer { nftnl_chain_free(chain) }
            guard nftnl_chain_nlmsg_parse(header, chain) == 0,
                Self.text(nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_TABLE))) == table.name,
                let name = Self.text(nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_NAME)))
            else { return }
            var hook: Hook?
            if nftnl_chain_is_set(chain, UInt16(NFTNL_CHAIN_HOOKNUM)) {
                let number = nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_HOOKNUM))
                points[name] = Hook.Point.allCases.first { $0.number == number }
                if let kind = Self.text(nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_TYPE))).flatMap(Hook.Kind.init),
                    let point = points[name],
                    // Ours accept what no rule decides: one that does not is none of ours.
                    nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_POLICY)) == UInt32(NF_ACCEPT)
                {
                    hook = Hook(kind, point, Int(nftnl_chain_get_s32(chain, UInt16(NFTNL_CHAIN_PRIO))))
                }
            }
            found[name] = Chain(hook: hook)
        }
        chains = found
        self.points = points
    }

    private mutating func readSets(_ socket: inout NetlinkSocket) throws(NetlinkError) {
        var found: [(String, NamedSet?)] = []
        let table = table
        let message = request(NFT_MSG_GETSET, NLM_F_DUMP) { $0.put(NFTA_SET_TABLE.rawValue, table.name) }
        try socket.run(message, { "nft list sets \(table)" }) { header in
            guard let set = nftnl_set_alloc() else { return }
            defer { nftnl_set_free(set) }
            guard nftnl_set_nlmsg_parse(header, set) == 0, let name = Self.text(nftnl_set_get_str(set, UInt16(NFTNL_SET_NAME))) else {
                return
            }
            let isAnonymous = nftnl_set_get_u32(set, UInt16(NFTNL_SET_FLAGS)) & NFT_SET_ANONYMOUS.rawValue != 0
            found.append((name, isAnonymous ? nil : NamedSet(set)))
        }
        for (name, set) in found {
            setNames.append(name)
            sets[name] = set
        }
    }

    private mutating func readElements(of name: String, _ socket: inout NetlinkSocket) throws(NetlinkError) {
        let definition = sets[name]
        // What rules remember comes and goes by itself.
        if definition?.timeout != nil { return }
        let table = table
        let message = request(NFT_MSG_GETSETELEM, NLM_F_DUMP) {
            $0.put(NFTA_SET_ELEM_LIST_TABLE.rawValue, table.name)
            $0.put(NFTA_SET_ELEM_LIST_SET.rawValue, name)
        }
        var raw: [SetElement] = []
        try socket.run(message, { "nft list set \(table) \(name)" }) { header in
            guard let set = nftnl_set_alloc() else { return }
            defer { nftnl_set_free(set) }
            guard nftnl_set_elems_nlmsg_parse(header, set) == 0, let iterator = nftnl_set_elems_iter_create(set) else { return }
            defer { nftnl_set_elems_iter_destroy(iterator) }
            while let element = nftnl_set_elems_iter_cur(iterator) {
                raw.append(SetElement(element))
                guard nftnl_set_elems_iter_next(iterator) != nil else { break }
            }
        }
        if let definition {
            elements[name] = Dictionary(definition.values(raw), uniquingKeysWith: { $1 })
        } else {
            anonymousMaps[name] = raw.sorted { $0.index < $1.index }.compactMap {
                if case .jump(let chain)? = $0.data.verdict { chain } else { nil }
            }
        }
    }

    private mutating func readRules(_ socket: inout NetlinkSocket) throws(NetlinkError) {
        let table = table
        let message = request(NFT_MSG_GETRULE, NLM_F_DUMP) { $0.put(NFTA_RULE_TABLE.rawValue, table.name) }
        var decoder = ExpressionDecoder(anonymousMaps: anonymousMaps)
        var found: [(String, Rule, UInt64)] = []
        try socket.run(message, { "nft list table \(table)" }) { header in
            guard let rule = nftnl_rule_alloc() else { return }
            defer { nftnl_rule_free(rule) }
            guard nftnl_rule_nlmsg_parse(header, rule) == 0, let chain = Self.text(nftnl_rule_get_str(rule, UInt16(NFTNL_RULE_CHAIN)))
            else { return }
            var length: UInt32 = 0
            let data = nftnl_rule_get_data(rule, UInt16(NFTNL_RULE_USERDATA), &length)
            let comment = comment(in: data, length, type: NFTNL_UDATA_RULE_COMMENT.rawValue)
            // A rule with no statement is none that we write: the chain will differ, and be written again.
            found.append((chain, Rule(decoder.decode(rule) ?? [], comment: comment), nftnl_rule_get_u64(rule, UInt16(NFTNL_RULE_HANDLE))))
        }
        for (chain, rule, handle) in found {
            chains[chain]?.rules.append(rule)
            handles[handle] = rule
        }
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
}

/// A table without its sets: what names its rules to a trace.
package struct TableOutline: Sendable {
    /// The hooks of base chains, whoever made them.
    package let points: [String: Hook.Point]
    /// By the kernel's handles, as `nft -a` shows them.
    package let rules: [UInt64: Rule]

    package init(points: [String: Hook.Point] = [:], rules: [UInt64: Rule] = [:]) { (self.points, self.rules) = (points, rules) }
}

/// One element as the kernel tells it.
private struct SetElement {
    let key: [UInt8]
    let keyEnd: [UInt8]?
    let isIntervalEnd: Bool
    var data: ElementData
    /// Where a map to data leads.
    let target: [UInt8]?

    init(_ element: OpaquePointer) {
        func bytes(_ attribute: Int) -> [UInt8]? {
            var length: UInt32 = 0
            guard nftnl_set_elem_is_set(element, UInt16(attribute)), let start = nftnl_set_elem_get(element, UInt16(attribute), &length)
            else { return nil }
            return Array(UnsafeRawBufferPointer(start: start, count: Int(length)))
        }
        key = bytes(NFTNL_SET_ELEM_KEY) ?? []
        keyEnd = bytes(NFTNL_SET_ELEM_KEY_END)
        target = bytes(NFTNL_SET_ELEM_DATA)
        // libnftnl follows a null pointer when it is asked for flags that are not there.
        isIntervalEnd =
            nftnl_set_elem_is_set(element, UInt16(NFTNL_SET_ELEM_FLAGS))
            && nftnl_set_elem_get_u32(element, UInt16(NFTNL_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END.rawValue != 0
        var verdict: Verdict?
        if nftnl_set_elem_is_set(element, UInt16(NFTNL_SET_ELEM_VERDICT)) {
            let chain = nftnl_set_elem_get_str(element, UInt16(NFTNL_SET_ELEM_CHAIN)).map { String(cString: $0) }
            verdict = Verdict(code: Int32(bitPattern: nftnl_set_elem_get_u32(element, UInt16(NFTNL_SET_ELEM_VERDICT))), chain: chain)
        }
        let userData = bytes(NFTNL_SET_ELEM_USERDATA)
        data = ElementData(
            verdict: verdict,
            comment: userData.flatMap { bytes in
                bytes.withUnsafeBytes { comment(in: $0.baseAddress, UInt32($0.count), type: NFTNL_UDATA_SET_ELEM_COMMENT.rawValue) }
            })
    }

    /// The key of a map from small numbers, in the host's byte order.
    var index: UInt32 { key.count == 4 ? key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } : 0 }
}

extension NamedSet {
    /// What a libnftnl set says of its type; nil when it is none that we declare.
    fileprivate init?(_ set: OpaquePointer) {
        let flags = nftnl_set_get_u32(set, UInt16(NFTNL_SET_FLAGS))
        guard let key = Self.types(nftnl_set_get_u32(set, UInt16(NFTNL_SET_KEY_TYPE)), nftnl_set_get_u32(set, UInt16(NFTNL_SET_KEY_LEN)))
        else { return nil }
        let isMap = flags & NFT_SET_MAP.rawValue != 0, target = nftnl_set_get_u32(set, UInt16(NFTNL_SET_DATA_TYPE))
        let isVerdictMap = isMap && target == NFT_DATA_VERDICT.rawValue
        let data = isMap && !isVerdictMap ? Self.types(target, nftnl_set_get_u32(set, UInt16(NFTNL_SET_DATA_LEN))) : []
        guard let data else { return nil }
        let timeout = flags & NFT_SET_TIMEOUT.rawValue != 0 ? Int(nftnl_set_get_u64(set, UInt16(NFTNL_SET_TIMEOUT)) / 1000) : nil
        var length: UInt32 = 0
        let userData = nftnl_set_get_data(set, UInt16(NFTNL_SET_USERDATA), &length)
        self.init(
            key: key, data: data, isVerdictMap: isVerdictMap, isInterval: flags & NFT_SET_INTERVAL.rawValue != 0, timeout: timeout,
            comment: Netlink.comment(in: userData, length, type: NFTNL_UDATA_SET_COMMENT.rawValue))
    }

    /// The types that nft's number packs, six bits each; nil when one is none of ours. Two of ours have one number: how long a value of
    /// all is tells them apart.
    private static func types(_ packed: UInt32, _ length: UInt32) -> [FieldType]? {
        var types: [FieldType] = [], number = packed
        while number > 0 {
            guard let type = FieldType.allCases.first(where: { $0.number == number & 63 }) else { return nil }
            types.insert(type, at: 0)
            number >>= 6
        }
        if NamedSet(key: types).keyLength == Int(length) { return types }
        return types.map { $0 == .bytes ? .slot : $0 }
    }

    /// The elements' keys as values, in canonical form.
    fileprivate func values(_ raw: [SetElement]) -> [([Value], ElementData)] {
        if isInterval, key.count == 1, let type = key.first { return intervals(raw, type) }
        return raw.compactMap { element in
            var offset = 0, element = element
            var values: [Value] = []
            if !data.isEmpty { element.data.data = element.target.flatMap { Self.values($0, data) } }
            for type in key {
                guard let first = Value(bytes: Array(element.key.dropFirst(offset)), of: type) else { return nil }
                // Intervals are in order of network bytes.
                if isInterval, case .mark(let number) = first {
                    values.append(.mark(number.bigEndian))
                    offset += type.paddedLength
                    continue
                }
                let last = element.keyEnd.flatMap { Value(bytes: Array($0.dropFirst(offset)), of: type) } ?? first
                values.append(Value.range(first, last))
                offset += key.count > 1 ? type.paddedLength : type.length
            }
            return (values, element.data)
        }
    }

    /// Single values of `types` as they lie in registers.
    private static func values(_ bytes: [UInt8], _ types: [FieldType]) -> [Value]? {
        var rest = bytes[...], values: [Value] = []
        for type in types {
            guard let value = Value(bytes: Array(rest), of: type) else { return nil }
            values.append(value)
            rest = rest.dropFirst(types.count > 1 ? type.paddedLength : type.length)
        }
        return values
    }

    /// A set of intervals of one field tells their starts and, each one past it, their ends.
    private func intervals(_ raw: [SetElement], _ type: FieldType) -> [([Value], ElementData)] {
        let ends = raw.filter(\.isIntervalEnd).map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
        return raw.filter { !$0.isIntervalEnd }.compactMap { element in
            guard let first = Value(bytes: element.key, of: type) else { return nil }
            let next = ends.first { element.key.lexicographicallyPrecedes($0) }
            var last = next ?? [UInt8](repeating: 0, count: type.length)
            for index in last.indices.reversed() {
                last[index] &-= 1
                if last[index] != 255 { break }
            }
            return ([Value.range(first, Value(bytes: last, of: type) ?? first)], element.data)
        }
    }
}

/// The comment that libnftnl user data of `length` bytes holds under `type`: a type, a length and the text, again and again.
private func comment(in data: UnsafeRawPointer?, _ length: UInt32, type: UInt32) -> String? {
    guard let data else { return nil }
    var rest = UnsafeRawBufferPointer(start: data, count: Int(length))[...]
    while rest.count >= 2, let kind = rest.first {
        let size = Int(rest[rest.startIndex + 1])
        guard rest.count >= 2 + size else { return nil }
        if UInt32(kind) == type { return String(decoding: rest.dropFirst(2).prefix(size).prefix { $0 != 0 }, as: UTF8.self) }
        rest = rest.dropFirst(2 + size)
    }
    return nil
}
