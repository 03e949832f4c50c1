import Model

/// The addresses that host-local hands out of a subnet: one after the other from the one behind the last, and round.
/// (containernetworking/plugins plugins/ipam/host-local/backend/allocator)
package struct LeaseRange: Sendable, CustomStringConvertible {
    private let subnet: IPNetwork
    private let first: IPAddress
    private let last: IPAddress

    package init(_ subnet: IPNetwork) {
        self.subnet = subnet
        first = subnet[1]
        // IPv4's last is for all of a network.
        last = subnet.family == .ipv4 ? IPAddress(.ipv4, number: max(subnet.last.number, 1) - 1) : subnet.last
    }

    package var description: String { "\(first)-\(last)" }

    /// Tries one address after the other, each once, the bridge's never; the one that could be had, nil when none.
    package func take(after previous: IPAddress?, _ tries: (IPAddress) throws -> Bool) rethrows -> IPAddress? {
        guard first < last else { return nil }
        let start = previous.flatMap { subnet.contains($0) && $0 < last && $0 >= first ? $0 + 1 : nil } ?? first
        var address = start
        repeat {
            if address != first, try tries(address) { return address }
            address = address == last ? first : address + 1
        } while address != start
        return nil
    }
}
