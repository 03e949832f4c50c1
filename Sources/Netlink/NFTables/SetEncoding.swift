import CNftnl
import Glibc
import Model
import Rules

extension UInt16 {
    /// An attribute number of libnftnl as its functions take it.
    init(_ attribute: some RawRepresentable<UInt32>) { self = UInt16(attribute.rawValue) }
}

extension TableFamily {
    init?(number: UInt32) {
        guard let family = [TableFamily.ip, .ip6, .bridge].first(where: { UInt32($0.number) == number }) else { return nil }
        self = family
    }

    /// enum nfproto
    var number: UInt8 {
        switch self {
        case .ip: 2
        case .ip6: 10
        case .bridge: 7
        }
    }
}

extension FieldType {
    /// nft's own number of the type (nftables src: enum datatypes), which it reads back to print a set's type.
    var number: UInt32 {
        switch self {
        case .address(.ipv4): 7
        case .address(.ipv6): 8
        case .transportProtocol: 12
        case .port: 13
        case .interface: 41
        case .mark: 19
        case .hardwareAddress: 9
        case .etherType: 10
        case .icmpv6Type: 29
        case .bytes, .slot: 4
        }
    }

    /// Bytes of a value.
    var length: Int {
        switch self {
        case .address(let family): family.bits / 8
        case .transportProtocol: 1
        case .port: 2
        case .slot, .mark: 4
        case .interface: 16
        case .hardwareAddress, .bytes: 6
        case .etherType: 2
        case .icmpv6Type: 1
        }
    }

    /// Bytes in a concatenation, where every piece fills whole 32-bit registers.
    var paddedLength: Int { (length + 3) / 4 * 4 }
}

extension NamedSet {
    private var isConcatenation: Bool { key.count > 1 }

    var keyLength: Int { Self.length(key) }

    /// Bytes of a value of each type, one after the other.
    private static func length(_ types: [FieldType]) -> Int {
        types.count > 1 ? types.reduce(0) { $0 + $1.paddedLength } : types.first?.length ?? 0
    }

    /// nft packs the types of a concatenation six bits each.
    private static func number(_ types: [FieldType]) -> UInt32 { types.reduce(0) { $0 << 6 | $1.number } }

    /// Fills in a libnftnl set.
    func describe(_ encoded: OpaquePointer, family: TableFamily, table: String, name: String, id: UInt32) {
        nftnl_set_set_str(encoded, UInt16(NFTNL_SET_TABLE), table)
        nftnl_set_set_str(encoded, UInt16(NFTNL_SET_NAME), name)
        nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_ID), id)
        nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_FAMILY), UInt32(family.number))
        var flags: UInt32 = 0
        if isConcatenation { flags |= NFT_SET_CONCAT.rawValue }
        if isInterval { flags |= NFT_SET_INTERVAL.rawValue }
        if isMap { flags |= NFT_SET_MAP.rawValue }
        if timeout != nil { flags |= NFT_SET_TIMEOUT.rawValue | NFT_SET_EVAL.rawValue }
        nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_FLAGS), flags)
        nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_KEY_TYPE), Self.number(key))
        nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_KEY_LEN), UInt32(keyLength))
        if isConcatenation {
            let lengths = key.map { UInt8($0.length) }
            nftnl_set_set_data(encoded, UInt16(NFTNL_SET_DESC_CONCAT), lengths, UInt32(lengths.count))
        }
        if isVerdictMap { nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_DATA_TYPE), NFT_DATA_VERDICT.rawValue) }
        if !data.isEmpty {
            nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_DATA_TYPE), Self.number(data))
            nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_DATA_LEN), UInt32(Self.length(data)))
        }
        if let timeout {
            nftnl_set_set_u64(encoded, UInt16(NFTNL_SET_TIMEOUT), UInt64(timeout) * 1000)
            nftnl_set_set_u32(encoded, UInt16(NFTNL_SET_DESC_SIZE), 65535)
        }
        let userData = SetUserData(self).bytes
        if !userData.isEmpty { nftnl_set_set_data(encoded, UInt16(NFTNL_SET_USERDATA), userData, UInt32(userData.count)) }
    }

    /// Adds one element's libnftnl form to `encoded`; an interval of a single field takes two, its start and its end.
    func addElements(_ values: [Value], _ data: ElementData, to encoded: OpaquePointer) {
        var first: [UInt8] = [], last: [UInt8] = []
        first.reserveCapacity(keyLength)
        for value in values {
            let bounds = isInterval ? value.orderedBounds : value.bounds
            let padding = isConcatenation ? (4 - bounds.first.count % 4) % 4 : 0
            first += bounds.first
            first.append(contentsOf: repeatElement(0, count: padding))
            // Only an interval has another end.
            guard isInterval else { continue }
            last += bounds.last
            last.append(contentsOf: repeatElement(0, count: padding))
        }
        guard let element = nftnl_set_elem_alloc() else { return }
        nftnl_set_elem_set(element, UInt16(NFTNL_SET_ELEM_KEY), first, UInt32(first.count))
        if isInterval, isConcatenation {
            nftnl_set_elem_set(element, UInt16(NFTNL_SET_ELEM_KEY_END), last, UInt32(last.count))
        }
        data.verdict?.describe(element)
        if let values = data.data {
            let bytes = Self.bytes(of: values)
            nftnl_set_elem_set(element, UInt16(NFTNL_SET_ELEM_DATA), bytes, UInt32(bytes.count))
        }
        if let comment = data.comment {
            withUserData(NFTNL_UDATA_SET_ELEM_COMMENT, comment) {
                nftnl_set_elem_set(element, UInt16(NFTNL_SET_ELEM_USERDATA), $0, $1)
            }
        }
        nftnl_set_elem_add(encoded, element)
        guard isInterval, !isConcatenation, let end = NamedSet.successor(last), let closing = nftnl_set_elem_alloc() else { return }
        nftnl_set_elem_set(closing, UInt16(NFTNL_SET_ELEM_KEY), end, UInt32(end.count))
        nftnl_set_elem_set_u32(closing, UInt16(NFTNL_SET_ELEM_FLAGS), NFT_SET_ELEM_INTERVAL_END.rawValue)
        nftnl_set_elem_add(encoded, closing)
    }

    /// Values as they lie in registers.
    private static func bytes(of values: [Value]) -> [UInt8] {
        values.flatMap { value -> [UInt8] in
            let bytes = value.bounds.first
            return bytes + [UInt8](repeating: 0, count: values.count > 1 ? (4 - bytes.count % 4) % 4 : 0)
        }
    }

    /// The next value in byte order; nil after the greatest, whose interval stays open.
    private static func successor(_ bytes: [UInt8]) -> [UInt8]? {
        var next = bytes
        for index in next.indices.reversed() {
            next[index] &+= 1
            if next[index] != 0 { return next }
        }
        return nil
    }
}

extension Value {
    /// First and last value in network byte order, in which intervals are in order.
    fileprivate var orderedBounds: (first: [UInt8], last: [UInt8]) {
        guard case .mark(let number) = self else { return bounds }
        let bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
        return (bytes, bytes)
    }
}

extension Verdict {
    /// The kernel's number (enum nft_verdicts, netfilter.h).
    var code: Int32 {
        switch self {
        case .accept: NF_ACCEPT
        case .drop: NF_DROP
        case .return: NFT_RETURN.rawValue
        case .jump: NFT_JUMP.rawValue
        case .goto: NFT_GOTO.rawValue
        }
    }

    func describe(_ element: OpaquePointer) {
        nftnl_set_elem_set_u32(element, UInt16(NFTNL_SET_ELEM_VERDICT), UInt32(bitPattern: code))
        if let target { nftnl_set_elem_set_str(element, UInt16(NFTNL_SET_ELEM_CHAIN), target) }
    }
}
