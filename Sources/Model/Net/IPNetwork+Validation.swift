import Glibc

extension IPNetwork {
    /// What is wrong with a network as a user wrote it, in Kubernetes' words.
    package struct Complaint: Error, Sendable, Hashable { package let message: String }

    /// Reads a network of either family, judged as Kubernetes 1.36 judges its API's fields.
    /// (k8s.io/kubernetes/pkg/apis/core/validation: IsValidCIDRForLegacyField, strict)
    package static func validated(_ text: String) throws(Complaint) -> IPNetwork {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard halves.count == 2, isNumber(halves[1]), let length = Int(halves[1]) else { throw .notCIDR }
        let (plain, hasLeadingZero) = withoutLeadingZeros(halves[0])
        guard let address = IPAddress(plain) else { throw isMapped(plain) && length <= IPFamily.ipv6.bits ? .mapped : .notCIDR }
        guard length <= address.family.bits else { throw .notCIDR }
        if hasLeadingZero || (halves[1].count > 1 && halves[1].hasPrefix("0")) { throw .leadingZeros }
        let network = IPNetwork(address, length)
        if network.network != address { throw .hostBits }
        return network
    }

    private static func isNumber(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Go's old parser took leading zeros in an IPv4 address; they are complained of by themselves.
    fileprivate static func withoutLeadingZeros(_ text: String) -> (String, Bool) {
        let fields = text.split(separator: ".", omittingEmptySubsequences: false)
        guard fields.allSatisfy(isNumber), fields.contains(where: { $0.count > 1 && $0.hasPrefix("0") }) else { return (text, false) }
        return (fields.map { field in String(Int(field) ?? 256) }.joined(separator: "."), true)
    }

    /// True for IPv6's way to write an IPv4 address, which is no `IPAddress`.
    fileprivate static func isMapped(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }
}

extension IPNetwork.Complaint {
    fileprivate static let notCIDR = Self(message: "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
    fileprivate static let leadingZeros = Self(message: "must not have leading 0s in IP or prefix length")
    fileprivate static let mapped = Self(message: "must not have an IPv4-mapped IPv6 address")
    fileprivate static let hostBits = Self(message: "must not have bits set beyond the prefix length")
}

extension IPAddress {
    package static let notAddress = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"

    /// What is wrong with a text that is no address, in Kubernetes' words. (IsValidIPForLegacyField, strict)
    package static func complaint(_ text: String) -> String {
        let (plain, hasLeadingZero) = IPNetwork.withoutLeadingZeros(text)
        if hasLeadingZero, IPAddress(plain) != nil { return "must not have leading 0s" }
        return IPNetwork.isMapped(text) ? "must not be an IPv4-mapped IPv6 address" : notAddress
    }
}
