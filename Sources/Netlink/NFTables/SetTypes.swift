import CNftnl
import Model
import Rules

/// What nft keeps beside a set, so that it can print it: its comment, and where a type's name does not say all, the expressions its types
/// are those of (`typeof`). The kernel stores the bytes and knows nothing of them. (nftables src: enum expr_types, NFTNL_UDATA_SET_*)
struct SetUserData {
    private(set) var bytes: [UInt8] = []

    init(_ set: NamedSet) {
        if set.key.contains(.slot) {
            // The bytes of keys and of data stand as they are.
            put(NFTNL_UDATA_SET_KEYBYTEORDER, Self.number(0))
            put(NFTNL_UDATA_SET_DATABYTEORDER, Self.number(0))
            put(NFTNL_UDATA_SET_KEY_TYPEOF, Self.concatenation(set.key))
            put(NFTNL_UDATA_SET_DATA_TYPEOF, Self.concatenation(set.data))
        } else {
            // A mark's bytes are the host's.
            if set.key == [.mark] { put(NFTNL_UDATA_SET_KEYBYTEORDER, Self.number(1)) }
            if set.data == [.mark] { put(NFTNL_UDATA_SET_DATABYTEORDER, Self.number(1)) }
        }
        if let comment = set.comment { put(NFTNL_UDATA_SET_COMMENT, Array(Ruleset.keptComment(comment).utf8) + [0]) }
    }

    private mutating func put(_ type: some RawRepresentable<UInt32>, _ value: [UInt8]) { bytes += Self.attribute(type.rawValue, value) }

    /// Kinds of expressions, of protocols and of their fields.
    private static let concat: UInt32 = 13, payload: UInt32 = 7, meta: UInt32 = 9, numgen: UInt32 = 23
    private static let ip: UInt32 = 12, ip6: UInt32 = 13, transport: UInt32 = 11
    private static let ipDestination: UInt32 = 12, ip6Destination: UInt32 = 9, destinationPort: UInt32 = 2
    private static let l4proto: UInt32 = 16, random: UInt32 = 1

    private static func concatenation(_ types: [FieldType]) -> [UInt8] {
        let parts = types.enumerated().flatMap { attribute(UInt32($0), typeof($1)) }
        return expression(concat, parts)
    }

    private static func typeof(_ type: FieldType) -> [UInt8] {
        switch type {
        case .address(.ipv4): expression(payload, numbers(ip, ipDestination))
        case .address(.ipv6): expression(payload, numbers(ip6, ip6Destination))
        case .port: expression(payload, numbers(transport, destinationPort))
        case .transportProtocol: expression(meta, numbers(l4proto))
        case .slot: expression(numgen, numbers(random, UInt32(NamedSet.slots), 0))
        case .interface, .mark, .hardwareAddress, .etherType, .icmpv6Type, .bytes: []
        }
    }

    private static func expression(_ kind: UInt32, _ data: [UInt8]) -> [UInt8] { attribute(0, number(kind)) + attribute(1, data) }

    private static func numbers(_ values: UInt32...) -> [UInt8] {
        values.enumerated().flatMap { attribute(UInt32($0), number($1)) }
    }

    private static func attribute(_ type: UInt32, _ value: [UInt8]) -> [UInt8] { [UInt8(type), UInt8(value.count)] + value }
    private static func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
}
