import Glibc
import Host
import Model
import Netlink

/// The load balancers' addresses on the nodes' LAN: each on the eth0 of the node that answers for it, and told to the neighbours. What is
/// of the pool and on a node's eth0 is here by this hand, and goes when it is nobody's.
package actor BalancerAddresses: AddressAnnouncer {
    private let executor = QueueExecutor("addresses")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private static let device = "eth0"
    private let cluster: Cluster
    private let paths: ClusterPaths
    private let report: @Sendable (String) -> Void
    private var nodes: [IPAddress: String] = [:]
    /// Of Services that are there, and have not been looked at since this daemon began: they stay where they are until then.
    private var untold: Set<IPAddress>
    private var repetitions: [IPAddress: Task<Void, Never>] = [:]

    /// `shown`: what Services have by their status.
    package init(cluster: Cluster, paths: ClusterPaths, shown: Set<IPAddress>, report: @escaping @Sendable (String) -> Void) {
        self.cluster = cluster
        self.paths = paths
        self.report = report
        untold = shown
    }

    package func announce(_ address: IPAddress, from node: String?) throws {
        untold.remove(address)
        repetitions.removeValue(forKey: address)?.cancel()
        nodes[address] = node
        for other in cluster.nodes where other.name != node {
            // On a node that is gone there is nothing to take; from another `repair` takes it.
            guard Files.exists(paths.nodeNetns(other.name)) else { continue }
            do {
                var place = try NetworkPlace(path: paths.nodeNetns(other.name))
                try take(address, &place)
            } catch { report("load balancer's address \(address) on node \(other.name): \(error)") }
        }
        guard let node, cluster.nodes.contains(where: { $0.name == node }) else { return }
        var place = try NetworkPlace(path: paths.nodeNetns(node))
        _ = try put(address, on: node, &place)
        // A neighbour may have missed it.
        repetitions[address] = Task { [weak self] in
            for wait in [Duration.seconds(1), .seconds(3)] {
                do { try await Task.sleep(for: wait) } catch { return }
                await self?.say(address, from: node)
            }
        }
    }

    /// Puts on a node's eth0 what it lacks, and takes what is not its own. In words, what was found.
    package func repair(_ node: String) throws -> [String] {
        var place = try NetworkPlace(path: paths.nodeNetns(node)), found: [String] = []
        for address in nodes.filter({ $0.value == node }).keys.sorted() {
            if try put(address, on: node, &place) { found.append("address \(address)/\(address.family.bits) on \(Self.device)") }
        }
        guard let link = try place.socket.link(Self.device) else { return found }
        let held = try place.socket.addresses(cluster.nodeSubnet.family).filter { $0.device == link.index }.map(\.address)
        for address in held where cluster.isLoadBalancerAddress(address) && nodes[address] != node && !untold.contains(address) {
            try take(address, &place)
        }
        return found
    }

    /// Whether it was missing.
    private func put(_ address: IPAddress, on node: String, _ place: inout NetworkPlace) throws -> Bool {
        let item = NetworkItem.address(address, address.family.bits, dev: Self.device)
        if try place.repair([item]).isEmpty { return false }
        try say(address, from: node, &place)
        return true
    }

    private func take(_ address: IPAddress, _ place: inout NetworkPlace) throws {
        guard let link = try place.socket.link(Self.device) else { return }
        try place.socket.deleteAddress(address, address.family.bits, dev: link.index)
    }

    private func say(_ address: IPAddress, from node: String) {
        guard nodes[address] == node else { return }
        do {
            var place = try NetworkPlace(path: paths.nodeNetns(node))
            try say(address, from: node, &place)
        } catch { report("load balancer's address \(address): \(error)") }
    }

    private func say(_ address: IPAddress, from node: String, _ place: inout NetworkPlace) throws {
        guard let link = try place.socket.link(Self.device), let hardware = link.address else { return }
        try NeighbourAnnouncement(address: address, link: hardware).send(on: link.index, namespace: paths.nodeNetns(node))
    }
}
