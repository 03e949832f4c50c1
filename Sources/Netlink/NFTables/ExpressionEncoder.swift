import CNftnl
import Glibc
import Model
import Rules

/// Turns statements into the kernel's expressions: loads into registers, comparisons, look-ups, actions.
struct ExpressionEncoder {
    let rule: OpaquePointer
    /// Of the rule's table.
    let family: TableFamily

    /// The 32-bit registers, of which concatenations fill as many as they need.
    private static let register = NFT_REG32_00.rawValue

    func encode(_ statement: Statement) {
        switch statement {
        case .match(let field, let value, let negated): match(field, value, negated: negated)
        case .connectionState(let state): connectionBits(NFT_CT_STATE, state.rawValue)
        case .destinationWasTranslated: connectionBits(NFT_CT_STATUS, 1 << 5)  // IPS_DST_NAT
        case .inSet(let fields, let set): lookup(fields, set)
        case .verdictMap(let fields, let map): lookup(fields, map, into: NFT_REG_VERDICT.rawValue)
        case .randomJump: preconditionFailure("the batch encodes it, for it owns the map")
        case .markUnset(let bits):
            loadMark()
            bitwise(length: 4, mask: hostBytes(bits), xor: hostBytes(0))
            compare(NFT_CMP_EQ, hostBytes(0))
        case .markHas(let bits):
            loadMark()
            bitwise(length: 4, mask: hostBytes(bits), xor: hostBytes(0))
            compare(NFT_CMP_NEQ, hostBytes(0))
        case .setMark(let bits): changeMark(mask: ~bits, xor: bits)
        case .flipMark(let bits): changeMark(mask: ~0, xor: bits)
        case .setMarkFromMap(let fields, let map):
            lookup(fields, map, into: Self.register)
            setMark()
        case .remember(let fields, let set): change(set, NFT_DYNSET_OP_UPDATE, fields)
        case .forget(let fields, let set): change(set, NFT_DYNSET_OP_DELETE, fields)
        case .destinationNATFrom(let family, let fields, let map):
            lookup(fields, map, into: Self.register)
            translateDestination(family)
        case .counter: add("counter") { _ in }
        case .trace:
            immediate(Self.register, [1])
            add("meta") {
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), NFT_META_NFTRACE.rawValue)
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_SREG), Self.register)
            }
        case .destinationNATMap(let family, let fields, let count, let map): destinationNAT(family, fields, among: count, map)
        case .destinationNAT(let proto, let address, let port):
            match(.transportProtocol, .proto(proto), negated: false)
            destinationNAT(address, port)
        case .sourceNAT(let address): sourceNAT(address)
        case .masquerade:
            add("masq") { nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_MASQ_FLAGS), UInt32(NF_NAT_RANGE_PROTO_RANDOM_FULLY)) }
        case .reject:
            // ICMP_PORT_UNREACH and ICMPV6_PORT_UNREACH (RFC 792, RFC 4443)
            let portUnreachable: UInt8 = family == .ip6 ? 4 : 3
            add("reject") {
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_REJECT_TYPE), NFT_REJECT_ICMP_UNREACH.rawValue)
                nftnl_expr_set_u8($0, UInt16(NFTNL_EXPR_REJECT_CODE), portUnreachable)
            }
        case .reset:
            add("reject") {
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_REJECT_TYPE), NFT_REJECT_TCP_RST.rawValue)
                nftnl_expr_set_u8($0, UInt16(NFTNL_EXPR_REJECT_CODE), 0)
            }
        case .verdict(let verdict):
            add("immediate") {
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_IMM_DREG), NFT_REG_VERDICT.rawValue)
                nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_IMM_VERDICT), UInt32(bitPattern: verdict.code))
                if let chain = verdict.target { nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_IMM_CHAIN), chain) }
            }
        }
    }

    /// `update @set { FIELDS }`
    private func change(_ set: String, _ operation: nft_dynset_ops, _ fields: [Field]) {
        _ = load(fields)
        add("dynset") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_DYNSET_OP), operation.rawValue)
            nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_DYNSET_SET_NAME), set)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_DYNSET_SREG_KEY), Self.register)
        }
    }

    /// `dnat to FIELDS . numgen random mod COUNT map @map`
    private func destinationNAT(_ addresses: IPFamily, _ fields: [Field], among count: Int, _ map: String) {
        throwDice(count, into: load(fields))
        add("lookup") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_SREG), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_DREG), Self.register)
            nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_LOOKUP_SET), map)
        }
        translateDestination(addresses)
    }

    /// `dnat` to the address in the first register and the port behind it.
    private func translateDestination(_ addresses: IPFamily) {
        add("nat") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_TYPE), NFT_NAT_DNAT.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_FAMILY), UInt32(addresses.number))
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_REG_ADDR_MIN), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_REG_PROTO_MIN), Self.register + UInt32(addresses.bits / 32))
        }
    }

    /// `dnat to ADDRESS:PORT`
    private func destinationNAT(_ address: IPAddress, _ port: UInt16) {
        immediate(Self.register, address.bytes)
        immediate(Self.register + UInt32(address.family.bits / 32), Value.port(port).bounds.first)
        translateDestination(address.family)
    }

    /// `snat to ADDRESS fully-random`
    private func sourceNAT(_ address: IPAddress) {
        immediate(Self.register, address.bytes)
        add("nat") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_TYPE), NFT_NAT_SNAT.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_FAMILY), UInt32(address.family.number))
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_REG_ADDR_MIN), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NAT_FLAGS), UInt32(NF_NAT_RANGE_PROTO_RANDOM_FULLY))
        }
    }

    /// `numgen random mod COUNT vmap @#setID`
    func randomJump(_ count: Int, setID: UInt32) {
        throwDice(count, into: Self.register)
        add("lookup") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_SREG), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_DREG), NFT_REG_VERDICT.rawValue)
            nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_LOOKUP_SET), "__map%d")
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_SET_ID), setID)
        }
    }

    /// `numgen random mod COUNT`
    private func throwDice(_ count: Int, into register: UInt32) {
        add("numgen") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NG_DREG), register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NG_TYPE), NFT_NG_RANDOM.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_NG_MODULUS), UInt32(count))
        }
    }

    private func add(_ name: String, _ fill: (OpaquePointer) -> Void) {
        guard let expression = nftnl_expr_alloc(name) else { return }
        fill(expression)
        nftnl_rule_add_expr(rule, expression)
    }

    private func load(_ field: Field, _ register: UInt32) {
        switch field {
        case .sourceAddress(.ipv4): payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 12, length: 4, register)
        case .sourceAddress(.ipv6): payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 8, length: 16, register)
        case .destinationAddress(.ipv4): payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 4, register)
        case .destinationAddress(.ipv6): payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16, register)
        case .destinationPort: payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, register)
        case .transportProtocol: meta(NFT_META_L4PROTO, register)
        case .inputInterface: meta(NFT_META_IIFNAME, register)
        case .outputInterface: meta(NFT_META_OIFNAME, register)
        case .mark: meta(NFT_META_MARK, register)
        case .orderedMark:
            meta(NFT_META_MARK, register)
            networkByteOrder(register)
        case .etherType: payload(NFT_PAYLOAD_LL_HEADER, offset: 12, length: 2, register)
        case .sourceHardwareAddress: payload(NFT_PAYLOAD_LL_HEADER, offset: 6, length: 6, register)
        case .destinationHardwareAddress: payload(NFT_PAYLOAD_LL_HEADER, offset: 0, length: 6, register)
        case .arpFormat: payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 0, length: 6, register)
        case .arpSenderHardwareAddress: payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 8, length: 6, register)
        case .arpSenderAddress: payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 14, length: 4, register)
        case .icmpv6Type: payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 0, length: 1, register)
        case .neighbourTarget: payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 8, length: 16, register)
        }
    }

    private func payload(_ base: nft_payload_bases, offset: UInt32, length: UInt32, _ register: UInt32) {
        add("payload") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_DREG), register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_BASE), base.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_OFFSET), offset)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_PAYLOAD_LEN), length)
        }
    }

    private func meta(_ key: nft_meta_keys, _ register: UInt32) {
        add("meta") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), key.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_DREG), register)
        }
    }

    private func match(_ field: Field, _ value: Value, negated: Bool) {
        load(field, Self.register)
        if case .network(let network) = value {
            let mask = network.mask.bytes
            bitwise(length: UInt32(mask.count), mask: mask, xor: [UInt8](repeating: 0, count: mask.count))
        }
        compare(negated ? NFT_CMP_NEQ : NFT_CMP_EQ, value.bounds.first)
    }

    /// Loads a concatenation; the register behind it.
    private func load(_ fields: [Field]) -> UInt32 {
        fields.reduce(Self.register) { register, field in
            load(field, register)
            return register + UInt32(field.type.paddedLength / 4)
        }
    }

    /// Looks into a set, or with `result` takes what a map leads to.
    private func lookup(_ fields: [Field], _ set: String, into result: UInt32? = nil) {
        _ = load(fields)
        add("lookup") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_SREG), Self.register)
            nftnl_expr_set_str($0, UInt16(NFTNL_EXPR_LOOKUP_SET), set)
            if let result { nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_LOOKUP_DREG), result) }
        }
    }

    private func connectionBits(_ key: nft_ct_keys, _ bits: UInt32) {
        add("ct") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CT_KEY), key.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CT_DREG), Self.register)
        }
        bitwise(length: 4, mask: hostBytes(bits), xor: hostBytes(0))
        compare(NFT_CMP_NEQ, hostBytes(0))
    }

    private func loadMark() { meta(NFT_META_MARK, Self.register) }

    private func changeMark(mask: UInt32, xor: UInt32) {
        loadMark()
        bitwise(length: 4, mask: hostBytes(mask), xor: hostBytes(xor))
        setMark()
    }

    /// From the first register.
    private func setMark() {
        add("meta") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_KEY), NFT_META_MARK.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_META_SREG), Self.register)
        }
    }

    private func networkByteOrder(_ register: UInt32) {
        add("byteorder") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BYTEORDER_SREG), register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BYTEORDER_DREG), register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BYTEORDER_OP), NFT_BYTEORDER_HTON.rawValue)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BYTEORDER_LEN), 4)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BYTEORDER_SIZE), 4)
        }
    }

    private func bitwise(length: UInt32, mask: [UInt8], xor: [UInt8]) {
        add("bitwise") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_SREG), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_DREG), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_BITWISE_LEN), length)
            nftnl_expr_set($0, UInt16(NFTNL_EXPR_BITWISE_MASK), mask, length)
            nftnl_expr_set($0, UInt16(NFTNL_EXPR_BITWISE_XOR), xor, length)
        }
    }

    private func compare(_ op: nft_cmp_ops, _ bytes: [UInt8]) {
        add("cmp") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CMP_SREG), Self.register)
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_CMP_OP), op.rawValue)
            nftnl_expr_set($0, UInt16(NFTNL_EXPR_CMP_DATA), bytes, UInt32(bytes.count))
        }
    }

    private func immediate(_ register: UInt32, _ bytes: [UInt8]) {
        add("immediate") {
            nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_IMM_DREG), register)
            nftnl_expr_set($0, UInt16(NFTNL_EXPR_IMM_DATA), bytes, UInt32(bytes.count))
        }
    }

    private func hostBytes(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
}
