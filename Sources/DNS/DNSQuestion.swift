import Model

/// The kinds of record the cluster answers (RFC 1035, 3596, 2782), and those that are refused.
package enum RecordType: UInt16, Sendable {
    case a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, txt = 16, aaaa = 28, srv = 33, opt = 41, ixfr = 251, axfr = 252, any = 255

    init(_ family: IPFamily) { self = family == .ipv4 ? .a : .aaaa }
}

package struct DNSQuestion: Sendable, Hashable {
    package static let internet: UInt16 = 1

    /// As it was asked: what the answer repeats.
    package let name: DNSName
    /// In small letters: what is looked up.
    let key: DNSName
    package let type: UInt16
    package let dnsClass: UInt16

    package init(name: String, type: RecordType) { self.init(DNSName(name), type: type.rawValue, dnsClass: Self.internet) }

    init(_ name: DNSName, type: UInt16, dnsClass: UInt16) {
        self.name = name
        key = name.lowercased
        self.type = type
        self.dnsClass = dnsClass
    }
}
