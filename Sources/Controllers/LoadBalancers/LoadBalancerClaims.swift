import Model
import Synchronization

/// Which Service has which load balancer's address, where it is answered for, and who waits for one.
final class LoadBalancerClaims: Sendable {
    /// Why a Service gets no address.
    struct Refusal: Error { let message: String }

    private struct State {
        var isLoaded = false
        var owners: [IPAddress: ObjectKey] = [:]
        var addresses: [ObjectKey: IPAddress] = [:]
        var waiting: Set<ObjectKey> = []
        /// Where each address was announced last; nil of one: nowhere.
        var nodes: [IPAddress: String?] = [:]
    }

    private let state = Mutex(State())
    private let cluster: Cluster

    init(cluster: Cluster) { self.cluster = cluster }

    /// Takes over what Services have by their status, once: of two that have one address the older keeps it.
    func load(_ services: () async throws -> [Service]) async throws {
        if state.withLock(\.isLoaded) { return }
        let holders = try await services().filter { Cluster.balances($0) && !$0.isBeingDeleted }
            .sorted {
                ($0.json["metadata"]["creationTimestamp"].string ?? "", $0.key) < (
                    $1.json["metadata"]["creationTimestamp"].string ?? "", $1.key
                )
            }
        state.withLock { state in
            for service in holders {
                guard let address = service.balancerAddresses.first, cluster.isLoadBalancerAddress(address), state.owners[address] == nil
                else { continue }
                (state.owners[address], state.addresses[service.key]) = (service.key, address)
            }
            state.isLoaded = true
        }
    }

    /// The Service's address: the one it has, while it may, or another.
    func address(for service: Service) throws(Refusal) -> IPAddress {
        let result = state.withLock { state -> Result<IPAddress, Refusal> in
            let key = service.key, held = state.addresses[key]
            do throws(Refusal) {
                let wanted = try wish(of: service, state), pool = cluster.loadBalancerRange
                guard service.families.contains(pool.first.family) else {
                    throw Refusal(message: "the pool \(pool) has no address of the Service's family \(words(service.families))")
                }
                if let held, wanted == nil || wanted == held, cluster.isLoadBalancerAddress(held) { return .success(held) }
                guard let address = wanted ?? free(state) else {
                    throw Refusal(message: "no address of the pool \(pool) is free")
                }
                if let held { state.owners[held] = nil }
                (state.owners[address], state.addresses[key]) = (key, address)
                state.waiting.remove(key)
                return .success(address)
            } catch {
                state.waiting.insert(key)
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The address that the Service asks for, which must be to be had.
    private func wish(of service: Service, _ state: State) throws(Refusal) -> IPAddress? {
        guard let text = service.spec["loadBalancerIP"].string, !text.isEmpty else { return nil }
        guard let address = IPAddress(text) else { throw Refusal(message: "invalid spec.loadBalancerIP \"\(text)\"") }
        guard service.families.contains(address.family) else {
            throw Refusal(message: "requested address \(address) is not of the Service's family \(words(service.families))")
        }
        guard cluster.isLoadBalancerAddress(address) else {
            throw Refusal(message: "requested address \(address) is not in the pool \(cluster.loadBalancerRange)")
        }
        if let owner = state.owners[address], owner != service.key {
            throw Refusal(message: "requested address \(address) is already in use by \(owner)")
        }
        return address
    }

    private func words(_ families: [IPFamily]) -> String { families.map(\.rawValue).joined(separator: ", ") }

    private func free(_ state: State) -> IPAddress? {
        let reserved = cluster.reservedAddresses
        return cluster.loadBalancerRange.first { state.owners[$0] == nil && !reserved.contains($0) }
    }

    /// What the Service had. `waits`: it would have another.
    func release(_ key: ObjectKey, waits: Bool) -> IPAddress? {
        state.withLock { state in
            if !waits { state.waiting.remove(key) }
            guard let address = state.addresses.removeValue(forKey: key) else { return nil }
            state.owners[address] = nil
            return address
        }
    }

    func owner(of address: IPAddress) -> ObjectKey? { state.withLock { $0.owners[address] } }
    /// All who have an address or wait for one.
    var keys: [ObjectKey] { state.withLock { Array($0.addresses.keys) + $0.waiting } }
    var waiting: Set<ObjectKey> { state.withLock(\.waiting) }

    /// Notes where an address is answered for; where it was before, nil: that is not known.
    func move(_ address: IPAddress, to node: String?) -> String?? {
        state.withLock { state in
            let before = state.nodes[address]
            state.nodes.updateValue(node, forKey: address)
            return before
        }
    }

    func place(of address: IPAddress) -> String?? { state.withLock { $0.nodes[address] } }
    func forgetPlace(of address: IPAddress) { state.withLock { _ = $0.nodes.removeValue(forKey: address) } }
}
