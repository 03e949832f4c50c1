import Glibc

/// A CIDR of either family as a user wrote it, judged as Kubernetes 1.36 judges its API's fields.
/// (k8s.io/kubernetes/pkg/apis/core/validation: IsValidCIDRForLegacyField, strict)
package struct CIDRText: Sendable, Hashable {
    package enum Family: Int, Sendable { case ipv4 = 4, ipv6 = 16 }

    package let family: Family
    package let bytes: [UInt8]
    package let prefixLength: Int

    package struct Complaint: Error, Sendable, Hashable { package let message: String }

    package init(_ text: String) throws(Complaint) {
        let invalid = Complaint(message: "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
        let halves = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard halves.count == 2, !halves[1].isEmpty, halves[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(halves[1]),
            let (family, bytes) = CIDRText.address(halves[0]), length <= family.rawValue * 8
        else { throw invalid }
        let leadingZero = halves[1].count > 1 && halves[1].hasPrefix("0")
        let fields = halves[0].split(separator: ":").last.map { $0.split(separator: ".") } ?? []
        if leadingZero || (fields.count == 4 && fields.contains { $0.count > 1 && $0.hasPrefix("0") }) {
            throw Complaint(message: "must not have leading 0s in IP or prefix length")
        }
        if family == .ipv6, bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 255, bytes[11] == 255 {
            throw Complaint(message: "must not have an IPv4-mapped IPv6 address")
        }
        self.family = family
        self.bytes = bytes
        prefixLength = length
        for bit in length..<family.rawValue * 8 where bytes[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0 {
            throw Complaint(message: "must not have bits set beyond the prefix length")
        }
    }

    /// True when `other` lies inside this network and is smaller.
    package func strictlyContains(_ other: CIDRText) -> Bool {
        guard family == other.family, other.prefixLength > prefixLength else { return false }
        return (0..<prefixLength).allSatisfy { bit in
            let mask = 0x80 as UInt8 >> UInt8(bit % 8)
            return bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
        }
    }

    /// Reads an address as Go's old parser did, leading zeros included; those are complained of by themselves.
    private static func address(_ text: String) -> (Family, [UInt8])? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if text.contains(":") { return inet_pton(AF_INET6, text, &bytes) == 1 ? (.ipv6, bytes) : nil }
        let fields = text.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = fields.compactMap { field in field.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(field) : nil }
        return fields.count == 4 && numbers.count == 4 ? (.ipv4, numbers) : nil
    }
}
