extension Cluster {
    /// One entry of `spec.dns.forward`.
    package enum Resolver: Sendable, Hashable {
        case address(IPAddress, port: UInt16)
        /// A resolv.conf: whoever it names when a query comes.
        case file(String)

        /// `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT` or a whole path.
        package init?(_ text: String) {
            if text.hasPrefix("/") {
                self = .file(text)
            } else if let address = IPAddress(text) {
                self = .address(address, port: 53)
            } else if let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 {
                var host = text[..<colon]
                let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
                if isBracketed { host = host.dropFirst().dropLast() }
                guard let address = IPAddress(host), (address.family == .ipv6) == isBracketed else { return nil }
                self = .address(address, port: port)
            } else {
                return nil
            }
        }

        /// The servers that a resolv.conf names (resolv.conf(5)).
        package static func servers(_ text: String) -> [IPAddress] {
            text.split(separator: "\n").compactMap { line in
                let words = line.split { $0 == " " || $0 == "\t" }
                return words.count >= 2 && words[0] == "nameserver" ? IPAddress(words[1]) : nil
            }
        }
    }
}
