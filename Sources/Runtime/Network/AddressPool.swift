import Model

/// A node's pod addresses, handed out one after the other from .2, as CNI's host-local does: an address that has just
/// been given back is the last to be used again.
package struct AddressPool: Sendable {
    private let network: IPNetwork
    private var taken: Set<IPAddress> = []
    private var last: Int

    package init(network: IPNetwork) {
        self.network = network
        last = 1
    }

    /// The next free address; nil when all are taken.
    package mutating func allocate() -> IPAddress? {
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
    package mutating func reserve(_ address: IPAddress) {
        guard network.contains(address) else { return }
        taken.insert(address)
        // Nobody hands out addresses so far away that they cannot be counted.
        last = max(last, Int(clamping: min(address.number - network.network.number, UInt128(network.size - 2))))
    }

    package mutating func release(_ address: IPAddress) { taken.remove(address) }
}
