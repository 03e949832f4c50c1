import CNftnl
import Glibc
import Model
import Rules

/// The way back from the kernel's expressions to statements: what `ExpressionEncoder` writes, and nothing else. A rule
/// that somebody else wrote is told as unreadable, so that it never equals one of ours.
struct ExpressionDecoder {
    /// The chains that the table's nameless maps lead to, by the kernel's name of the map.
    let anonymousMaps: [String: [String]]

    /// What has been loaded into a register and waits for a comparison, a look-up or an action.
    private struct Load {
        enum Source {
            case field(Field)
            case connectionState, connectionStatus, mark
            case random(Int)
        }
        var source: Source
        var mask: [UInt8]?
        var flip: [UInt8] = []
    }

    private var loads: [Load] = []
    private var immediates: [[UInt8]] = []
    /// What the map's address and port that were looked up are for.
    private var chosen: (fields: [Field], count: Int, map: String)?
    /// What was looked up in a map, and waits for its use.
    private var mapped: (fields: [Field], map: String)?
    private var statements: [Statement] = []

    init(anonymousMaps: [String: [String]]) { self.anonymousMaps = anonymousMaps }

    /// The statements of a libnftnl rule; nil when one of its expressions is none of ours.
    mutating func decode(_ rule: OpaquePointer) -> [Statement]? {
        (loads, immediates, statements, chosen, mapped) = ([], [], [], nil, nil)
        guard let iterator = nftnl_expr_iter_create(rule) else { return nil }
        defer { nftnl_expr_iter_destroy(iterator) }
        while let expression = nftnl_expr_iter_next(iterator) {
            guard take(Expression(expression)) else { return nil }
        }
        return loads.isEmpty && immediates.isEmpty && chosen == nil && mapped == nil ? statements : nil
    }

    private mutating func take(_ expression: Expression) -> Bool {
        switch expression.name {
        case "payload", "meta", "ct", "numgen":
            if expression.name == "meta", expression.has(NFTNL_EXPR_META_SREG) { return setMark(expression) }
            guard let source = Self.source(expression) else { return false }
            loads.append(Load(source: source))
            return true
        case "bitwise":
            guard let last = loads.indices.last else { return false }
            loads[last].mask = expression.bytes(NFTNL_EXPR_BITWISE_MASK)
            loads[last].flip = expression.bytes(NFTNL_EXPR_BITWISE_XOR)
            return true
        case "byteorder":
            guard let last = loads.indices.last, case .mark = loads[last].source else { return false }
            loads[last].source = .field(.orderedMark)
            return true
        case "cmp": return compare(expression)
        case "lookup": return lookUp(expression)
        case "immediate":
            guard expression.has(NFTNL_EXPR_IMM_VERDICT) else {
                immediates.append(expression.bytes(NFTNL_EXPR_IMM_DATA))
                return true
            }
            let code = Int32(bitPattern: expression.u32(NFTNL_EXPR_IMM_VERDICT))
            return append(Verdict(code: code, chain: expression.text(NFTNL_EXPR_IMM_CHAIN)).map(Statement.verdict))
        case "nat": return translate(expression)
        case "masq": return append(.masquerade)
        case "dynset":
            let sources = loads.map(\.source)
            loads = []
            guard let fields = Self.fields(sources), let set = expression.text(NFTNL_EXPR_DYNSET_SET_NAME) else { return false }
            switch expression.u32(NFTNL_EXPR_DYNSET_OP) {
            case NFT_DYNSET_OP_UPDATE.rawValue: return append(.remember(fields, set))
            case NFT_DYNSET_OP_DELETE.rawValue: return append(.forget(fields, set))
            default: return false
            }
        case "reject":
            return append(expression.u32(NFTNL_EXPR_REJECT_TYPE) == NFT_REJECT_TCP_RST.rawValue ? .reset : .reject)
        case "counter": return append(.counter)
        default: return false
        }
    }

    private mutating func append(_ statement: Statement?) -> Bool {
        guard let statement else { return false }
        statements.append(statement)
        return true
    }

    private static func source(_ expression: Expression) -> Load.Source? {
        switch expression.name {
        case "payload":
            let base = expression.u32(NFTNL_EXPR_PAYLOAD_BASE), offset = expression.u32(NFTNL_EXPR_PAYLOAD_OFFSET)
            switch (base, offset, expression.u32(NFTNL_EXPR_PAYLOAD_LEN)) {
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 12, 4): return .field(.sourceAddress(.ipv4))
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 16, 4): return .field(.destinationAddress(.ipv4))
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 8, 16): return .field(.sourceAddress(.ipv6))
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 24, 16): return .field(.destinationAddress(.ipv6))
            case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 2, 2): return .field(.destinationPort)
            case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 0, 1): return .field(.icmpv6Type)
            case (NFT_PAYLOAD_TRANSPORT_HEADER.rawValue, 8, 16): return .field(.neighbourTarget)
            case (NFT_PAYLOAD_LL_HEADER.rawValue, 12, 2): return .field(.etherType)
            case (NFT_PAYLOAD_LL_HEADER.rawValue, 6, 6): return .field(.sourceHardwareAddress)
            case (NFT_PAYLOAD_LL_HEADER.rawValue, 0, 6): return .field(.destinationHardwareAddress)
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 0, 6): return .field(.arpFormat)
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 8, 6): return .field(.arpSenderHardwareAddress)
            case (NFT_PAYLOAD_NETWORK_HEADER.rawValue, 14, 4): return .field(.arpSenderAddress)
            default: return nil
            }
        case "meta":
            switch expression.u32(NFTNL_EXPR_META_KEY) {
            case NFT_META_L4PROTO.rawValue: return .field(.transportProtocol)
            case NFT_META_IIFNAME.rawValue: return .field(.inputInterface)
            case NFT_META_OIFNAME.rawValue: return .field(.outputInterface)
            case NFT_META_MARK.rawValue: return .mark
            default: return nil
            }
        case "ct":
            switch expression.u32(NFTNL_EXPR_CT_KEY) {
            case NFT_CT_STATE.rawValue: return .connectionState
            case NFT_CT_STATUS.rawValue: return .connectionStatus
            default: return nil
            }
        default:
            return expression.u32(NFTNL_EXPR_NG_TYPE) == NFT_NG_RANDOM.rawValue ? .random(Int(expression.u32(NFTNL_EXPR_NG_MODULUS))) : nil
        }
    }

    private mutating func compare(_ expression: Expression) -> Bool {
        guard loads.count == 1, let load = loads.popLast() else { return false }
        let data = expression.bytes(NFTNL_EXPR_CMP_DATA)
        let isEqual = expression.u32(NFTNL_EXPR_CMP_OP) == NFT_CMP_EQ.rawValue
        guard isEqual || expression.u32(NFTNL_EXPR_CMP_OP) == NFT_CMP_NEQ.rawValue else { return false }
        switch load.source {
        case .field(let field):
            guard let value = Value(bytes: data, of: field.type) else { return false }
            guard let mask = load.mask else { return append(.match(field, value, negated: !isEqual)) }
            guard case .address(let address) = value, mask.count == address.family.bits / 8 else { return false }
            let length = mask.reduce(0) { $0 + $1.nonzeroBitCount }
            return append(.match(field, .network(IPNetwork(address, length)), negated: !isEqual))
        case .connectionState: return append(isEqual ? nil : .connectionState(ConnectionState(rawValue: Self.hostNumber(load.mask))))
        case .connectionStatus: return append(!isEqual && Self.hostNumber(load.mask) == 1 << 5 ? .destinationWasTranslated : nil)
        case .mark:
            let bits = Self.hostNumber(load.mask)
            return append(isEqual ? .markUnset(bits) : .markHas(bits))
        case .random: return false
        }
    }

    private mutating func lookUp(_ expression: Expression) -> Bool {
        let sources = loads.map(\.source)
        loads = []
        guard let set = expression.text(NFTNL_EXPR_LOOKUP_SET) else { return false }
        if case .random? = sources.first { return append(anonymousMaps[set].map(Statement.randomJump)) }
        if case .random(let count)? = sources.last { return choose(sources.dropLast(), count, set, expression) }
        guard let fields = Self.fields(sources) else { return false }
        guard expression.has(NFTNL_EXPR_LOOKUP_DREG) else { return append(.inSet(fields, set)) }
        if expression.u32(NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT.rawValue { return append(.verdictMap(fields, set)) }
        // What follows is its use.
        mapped = (fields, set)
        return true
    }

    /// nil where something is none of a packet's fields.
    private static func fields(_ sources: some Sequence<Load.Source>) -> [Field]? {
        var fields: [Field] = []
        for source in sources {
            switch source {
            case .field(let field): fields.append(field)
            case .mark: fields.append(.mark)
            default: return nil
            }
        }
        return fields
    }

    /// What follows a look-up of an address and a port is their use.
    private mutating func choose(_ sources: ArraySlice<Load.Source>, _ count: Int, _ map: String, _ expression: Expression) -> Bool {
        guard let fields = Self.fields(sources), expression.has(NFTNL_EXPR_LOOKUP_DREG) else { return false }
        chosen = (fields, count, map)
        return true
    }

    private mutating func setMark(_ expression: Expression) -> Bool {
        if expression.u32(NFTNL_EXPR_META_KEY) == NFT_META_NFTRACE.rawValue {
            defer { immediates = [] }
            return append(immediates == [[1]] ? .trace : nil)
        }
        if let (fields, map) = mapped {
            mapped = nil
            return append(expression.u32(NFTNL_EXPR_META_KEY) == NFT_META_MARK.rawValue ? .setMarkFromMap(fields, map) : nil)
        }
        guard let load = loads.popLast(), case .mark = load.source, expression.u32(NFTNL_EXPR_META_KEY) == NFT_META_MARK.rawValue else {
            return false
        }
        let mask = Self.hostNumber(load.mask), bits = Self.hostNumber(load.flip)
        if mask == ~0 { return append(.flipMark(bits)) }
        return append(mask == ~bits ? .setMark(bits) : nil)
    }

    private mutating func translate(_ expression: Expression) -> Bool {
        defer { (immediates, chosen, mapped) = ([], nil, nil) }
        if chosen != nil || mapped != nil {
            let number = expression.u32(NFTNL_EXPR_NAT_FAMILY)
            guard let family = IPFamily.allCases.first(where: { UInt32($0.number) == number }), immediates.isEmpty,
                expression.u32(NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT.rawValue
            else { return false }
            if let (fields, count, map) = chosen { return append(.destinationNATMap(family, fields, among: count, map)) }
            return append(mapped.map { .destinationNATFrom(family, $0.fields, $0.map) })
        }
        guard let first = immediates.first, let address = IPAddress(bytes: first) else { return false }
        if expression.u32(NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT.rawValue { return append(immediates.count == 1 ? .sourceNAT(address) : nil) }
        // The match of the protocol before it is a part of the statement.
        guard immediates.count == 2, case .port(let port)? = Value(bytes: immediates[1], of: .port),
            case .match(.transportProtocol, .transportProtocol(let number), false)? = statements.popLast(),
            let proto = TransportProtocol.allCases.first(where: { $0.number == number })
        else { return false }
        return append(.destinationNAT(proto, address, port))
    }

    private static func hostNumber(_ bytes: [UInt8]?) -> UInt32 {
        guard let bytes, bytes.count == 4 else { return 0 }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }
}

/// A libnftnl expression, read.
private struct Expression {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    var name: String { text(NFTNL_EXPR_NAME) ?? "" }
    func has(_ attribute: Int) -> Bool { nftnl_expr_is_set(pointer, UInt16(attribute)) }
    func u32(_ attribute: Int) -> UInt32 { nftnl_expr_get_u32(pointer, UInt16(attribute)) }
    func text(_ attribute: Int) -> String? { nftnl_expr_get_str(pointer, UInt16(attribute)).map { String(cString: $0) } }
    func bytes(_ attribute: Int) -> [UInt8] {
        var length: UInt32 = 0
        guard let start = nftnl_expr_get(pointer, UInt16(attribute), &length) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(length)))
    }
}

extension Verdict {
    /// The verdict that the kernel's number and chain say; nil for one that is none of ours.
    init?(code: Int32, chain: String?) {
        switch (code, chain) {
        case (NF_ACCEPT, _): self = .accept
        case (NF_DROP, _): self = .drop
        case (NFT_RETURN.rawValue, _): self = .return
        case (NFT_JUMP.rawValue, let chain?): self = .jump(chain)
        case (NFT_GOTO.rawValue, let chain?): self = .goto(chain)
        default: return nil
        }
    }
}

extension Value {
    /// A single value of type `type` from its bytes on the wire.
    init?(bytes: [UInt8], of type: FieldType) {
        guard bytes.count >= type.length else { return nil }
        switch type {
        case .address:
            guard let address = IPAddress(bytes: bytes[..<type.length]) else { return nil }
            self = .address(address)
        case .transportProtocol: self = .transportProtocol(bytes[0])
        case .port: self = .port(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        case .interface: self = .interface(String(decoding: bytes[..<16].prefix { $0 != 0 }, as: UTF8.self))
        case .hardwareAddress:
            guard let address = MACAddress(bytes[..<6]) else { return nil }
            self = .hardwareAddress(address)
        case .etherType: self = .etherType(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        case .icmpv6Type: self = .icmpv6Type(bytes[0])
        case .bytes: self = .bytes(Array(bytes[..<6]))
        case .mark: self = .mark(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
        case .slot: self = .slot(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
        }
    }

    /// The values from `first` to `last`.
    static func range(_ first: Value, _ last: Value) -> Value {
        switch (first, last) {
        case (.address(let a), .address(let b)) where a < b: .addresses(a...b)
        case (.port(let a), .port(let b)) where a < b: .ports(a...b)
        case (.transportProtocol(let a), .transportProtocol(let b)) where a < b: .transportProtocols(a...b)
        default: first
        }
    }
}
