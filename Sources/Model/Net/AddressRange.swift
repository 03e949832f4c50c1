/// Addresses of one family, one after the other: `192.168.200.192-192.168.200.254`, or a network's.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    package let first: IPAddress
    package let last: IPAddress

    /// nil when they are of two families, or the wrong way round.
    package init?(_ first: IPAddress, _ last: IPAddress) {
        guard first.family == last.family, first <= last else { return nil }
        (self.first, self.last) = (first, last)
    }

    package init(_ network: IPNetwork) { (first, last) = (network.network, network.last) }

    /// Reads `FIRST-LAST` or a network.
    package init?(_ text: some StringProtocol) {
        if let network = IPNetwork(text) {
            self.init(network)
            return
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).compactMap { IPAddress($0.trimmed) }
        guard ends.count == 2 else { return nil }
        self.init(ends[0], ends[1])
    }

    package func contains(_ address: IPAddress) -> Bool { address.family == first.family && first <= address && address <= last }

    /// The first of its addresses that `isFree`.
    package func first(where isFree: (IPAddress) -> Bool) -> IPAddress? {
        var address = first
        while true {
            if isFree(address) { return address }
            if address == last { return nil }
            address = address + 1
        }
    }

    package var description: String { "\(first)-\(last)" }
}
