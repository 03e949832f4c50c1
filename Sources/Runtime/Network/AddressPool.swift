import Model

/// A node's pod addresses, handed out one after the other from .2, as CNI's host-local does: an address that has just
/// been given back is the last to be used again.
package struct AddressPool: Sendable {
    private let network: CIDR
    private var taken: Set<IPv4Address> = []
    private var last: Int

    package init(network: CIDR) {
        self.network = network
        last = 1
    }

    /// The next free address; nil when all are taken.
    package mutating func allocate() -> IPv4Address? {
        let count = network.size - 3  // the network, the bridge and the broadcast address
        for step in 1...max(1, count) {
            let index = (last - 2 + step) % count + 2
            if taken.insert(network[index]).inserted {
                last = index
                return network[index]
            }
        }
        return nil
    }

    /// Marks an address that a pod already has.
    package mutating func reserve(_ address: IPv4Address) {
        guard network.contains(address) else { return }
        taken.insert(address)
        last = max(last, Int(address.value - network.network.value))
    }

    package mutating func release(_ address: IPv4Address) { taken.remove(address) }
}
