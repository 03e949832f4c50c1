import Model

/// Which packets a table sees: those of one family of addresses, or the frames that cross a bridge.
package enum TableFamily: String, Hashable, Sendable, Comparable {
    case ip, ip6, bridge

    /// The tables that see the packets of `family`.
    package init(_ family: IPFamily) { self = family == .ipv4 ? .ip : .ip6 }

    package static func < (a: TableFamily, b: TableFamily) -> Bool { a.rawValue < b.rawValue }
}

/// What names a table in a network namespace: `ip kube-proxy`.
package struct TableID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let family: TableFamily
    package let name: String

    package init(_ family: TableFamily, _ name: String) {
        self.family = family
        self.name = name
    }

    package static func < (a: TableID, b: TableID) -> Bool { (a.family, a.name) < (b.family, b.name) }

    /// As nft(8) writes it.
    package var description: String { "\(family.rawValue) \(name)" }
}
