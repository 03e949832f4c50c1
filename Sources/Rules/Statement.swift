import Model

/// What happens to a packet when a rule has matched.
package enum Verdict: Hashable, Sendable, CustomStringConvertible {
    case accept, drop, `return`
    case jump(String)
    case goto(String)

    package var description: String {
        switch self {
        case .accept: "accept"
        case .drop: "drop"
        case .return: "return"
        case .jump(let chain): "jump \(chain)"
        case .goto(let chain): "goto \(chain)"
        }
    }

    /// The chain that evaluation goes on in.
    package var target: String? {
        switch self {
        case .jump(let chain), .goto(let chain): chain
        default: nil
        }
    }
}

/// States of a connection, as conntrack numbers them (`ct state`).
package struct ConnectionState: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let invalid = ConnectionState(rawValue: 1)
    package static let established = ConnectionState(rawValue: 2)
    package static let related = ConnectionState(rawValue: 4)
    package static let new = ConnectionState(rawValue: 8)

    package var text: String {
        [(Self.invalid, "invalid"), (.established, "established"), (.related, "related"), (.new, "new")]
            .filter { contains($0.0) }.map(\.1).joined(separator: ",")
    }
}

/// One step of a rule: a match that must hold for the next step to run, or an action.
package enum Statement: Hashable, Sendable {
    case match(Field, Value, negated: Bool = false)
    case connectionState(ConnectionState)
    /// `ct status dnat`: the connection's destination was translated.
    case destinationWasTranslated
    /// The concatenation of fields is an element of the set.
    case inSet([Field], String)
    /// The element's verdict, where the map has one for the concatenation of fields.
    case verdictMap([Field], String)
    /// `numgen random mod N vmap { 0 : jump ..., ... }`
    case randomJump([String])
    /// `meta mark & bits == 0`
    case markUnset(UInt32)
    /// `meta mark & bits != 0`
    case markHas(UInt32)
    case setMark(UInt32)
    case flipMark(UInt32)
    /// The mark that the map has for the concatenation of fields: `meta mark set FIELDS map @map`
    case setMarkFromMap([Field], String)
    /// Puts the concatenation of fields into a dynamic set, or lets it stay there longer: `update @set { ip saddr }`
    case remember([Field], String)
    /// `delete @set { ip saddr }`
    case forget([Field], String)
    case counter
    /// `meta nftrace set 1`: from here on the kernel tells every rule that the packet meets.
    case trace
    /// The address and port that the map has for the concatenation of fields and for a number thrown below `among`:
    /// `dnat ip to FIELDS . numgen random mod N map @map`
    case destinationNATMap(IPFamily, [Field], among: Int, String)
    /// The address and port that the map has for the concatenation of fields: `dnat ip to FIELDS map @map`
    case destinationNATFrom(IPFamily, [Field], String)
    /// `meta l4proto P dnat to A:P`
    case destinationNAT(TransportProtocol, IPAddress, UInt16)
    case sourceNAT(IPAddress)
    /// With the address that the device it leaves by has.
    case masquerade
    /// ICMP port unreachable.
    case reject
    /// A TCP connection's reset, of which the kernel sends as many as are due: ICMP's errors are limited to one a second for each receiver
    /// (`net.ipv4.icmp_ratelimit`), and who hears none asks again. `reject with tcp reset`
    case reset
    case verdict(Verdict)

    /// The statement as `nft list` prints it.
    package var text: String {
        switch self {
        case .match(let field, let value, let negated): "\(field.text) \(negated ? "!= " : "")\(value)"
        case .connectionState(let state): "ct state \(state.text)"
        case .destinationWasTranslated: "ct status dnat"
        case .inSet(let fields, let set): "\(Statement.concatenation(fields)) @\(set)"
        case .verdictMap(let fields, let map): "\(Statement.concatenation(fields)) vmap @\(map)"
        case .randomJump(let chains):
            "numgen random mod \(chains.count) vmap { "
                + chains.enumerated().map { "\($0) : jump \($1)" }.joined(separator: ", ") + " }"
        case .markUnset(let bits): "meta mark & \(Statement.hex(bits)) == 0x00000000"
        case .markHas(let bits): "meta mark & \(Statement.hex(bits)) != 0x00000000"
        case .setMark(let bits): "meta mark set meta mark | \(Statement.hex(bits))"
        case .flipMark(let bits): "meta mark set meta mark ^ \(Statement.hex(bits))"
        case .setMarkFromMap(let fields, let map): "meta mark set \(Statement.concatenation(fields)) map @\(map)"
        case .remember(let fields, let set): "update @\(set) { \(Statement.concatenation(fields)) }"
        case .forget(let fields, let set): "delete @\(set) { \(Statement.concatenation(fields)) }"
        case .counter: "counter"
        case .trace: "meta nftrace set 1"
        case .destinationNATMap(let family, let fields, let count, let map):
            "dnat \(TableFamily(family).rawValue) to \(Statement.concatenation(fields)) "
                + ". numgen random mod \(count) map @\(map)"
        case .destinationNATFrom(let family, let fields, let map):
            "dnat \(TableFamily(family).rawValue) to \(Statement.concatenation(fields)) map @\(map)"
        case .destinationNAT(let proto, let address, let port):
            "meta l4proto \(proto.rawValue.lowercased()) dnat to \(address.family == .ipv4 ? "\(address)" : "[\(address)]"):\(port)"
        case .sourceNAT(let address): "snat to \(address) fully-random"
        case .masquerade: "masquerade fully-random"
        case .reject: "reject"
        case .reset: "reject with tcp reset"
        case .verdict(let verdict): verdict.description
        }
    }

    /// The chains, sets and maps it names.
    package var references: [String] {
        switch self {
        case .inSet(_, let name), .verdictMap(_, let name), .remember(_, let name), .destinationNATMap(_, _, _, let name),
            .setMarkFromMap(_, let name), .forget(_, let name), .destinationNATFrom(_, _, let name):
            [name]
        case .randomJump(let chains): chains
        case .verdict(let verdict): verdict.target.map { [$0] } ?? []
        default: []
        }
    }

    private static func concatenation(_ fields: [Field]) -> String { fields.map(\.text).joined(separator: " . ") }

    private static func hex(_ bits: UInt32) -> String {
        let digits = String(bits, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// A rule: statements from left to right, and the comment that says who asked for it.
package struct Rule: Hashable, Sendable {
    package var statements: [Statement]
    package var comment: String?

    package init(_ statements: Statement..., comment: String? = nil) {
        self.statements = statements
        self.comment = comment
    }

    package init(_ statements: [Statement], comment: String? = nil) {
        self.statements = statements
        self.comment = comment
    }

    package var text: String {
        let body = statements.map(\.text).joined(separator: " ")
        return comment.map { "\(body) comment \"\($0)\"" } ?? body
    }
}
