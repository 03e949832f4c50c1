/// The ranges of addresses that mean something to one machine or link alone. (RFC 6890)
extension IPAddress {
    /// 127.0.0.0/8, ::1.
    package var isLoopback: Bool { family == .ipv4 ? number >> 24 == 127 : number == 1 }

    /// 169.254.0.0/16, fe80::/10.
    package var isLinkLocal: Bool { family == .ipv4 ? number >> 16 == 0xA9FE : number >> 118 == 0xFE80 >> 6 }

    /// 224.0.0.0/4, ff00::/8.
    package var isMulticast: Bool { family == .ipv4 ? number >> 28 == 0xE : number >> 120 == 0xFF }

    /// Groups that no router passes on: 224.0.0.0/24, and any ff02::, whatever its flags.
    package var isLinkLocalMulticast: Bool {
        family == .ipv4 ? number >> 8 == 0xE00000 : number >> 120 == 0xFF && number >> 112 & 0xF == 2
    }

    /// Such as machines of a network have: one of a host that others reach, and not of 0.0.0.0/8, 240.0.0.0/4 or ::/8, which are kept for
    /// other ends. (RFC 6890, RFC 4291)
    package var isOfMachines: Bool { isGlobalUnicast && (family == .ipv4 ? (1...239).contains(number >> 24) : number >> 120 != 0) }

    /// The address of one host that others reach, too.
    package var isGlobalUnicast: Bool {
        !isUnspecified && !isLoopback && !isLinkLocal && !isMulticast && !(family == .ipv4 && number == 0xFFFF_FFFF)
    }
}
