import Model
import Rules

/// An address, protocol and port where a Service is reached from outside: one of its externalIPs, or its load balancer's address.
package struct ExternalFrontend: Hashable, Sendable {
    package let address: IPAddress
    package let proto: TransportProtocol
    package let port: UInt16

    var key: [Value] { [.address(address), .proto(proto), .port(port)] }
}

extension ServiceCompiler {
    /// Where a Service's port is reached from outside, but for what others have. An address of the Services' own network is none: it would
    /// take over another's ClusterIP.
    func externalFrontends(_ service: Service, _ port: Service.Port, without taken: Set<ExternalFrontend>) -> [ExternalFrontend] {
        guard let number = UInt16(exactly: port.port) else { return [] }
        return externalAddresses(service).map { ExternalFrontend(address: $0, proto: port.proto, port: number) }.filter {
            !taken.contains($0)
        }
    }

    func externalFrontends(_ service: Service) -> Set<ExternalFrontend> {
        let addresses = externalAddresses(service)
        if addresses.isEmpty { return [] }
        return Set(service.ports.flatMap { externalFrontends(service, $0, without: []) })
    }

    private func externalAddresses(_ service: Service) -> [IPAddress] {
        guard service.clusterIP(node.family) != nil, service.type != "ExternalName" else { return [] }
        var seen: Set<IPAddress> = []
        return (service.externalIPs + service.balancerAddresses).filter {
            $0.family == node.family && !node.serviceCIDR.contains($0) && seen.insert($0).inserted
        }
    }
}

/// Who has each address and port that Services claim from outside: nobody gives those out, and two may want one. The oldest has it, and
/// another when that goes.
struct ExternalClaims {
    private struct Claim: Comparable {
        let since: String
        let key: ObjectKey
        static func < (a: Self, b: Self) -> Bool { (a.since, a.key) < (b.since, b.key) }
    }

    private var claimants: [ExternalFrontend: [Claim]] = [:]
    private var claimed: [ObjectKey: Set<ExternalFrontend>] = [:]

    /// Notes what a Service claims; nil: it is gone. The others that may have something else now.
    mutating func set(_ key: ObjectKey, _ service: Service?, _ frontends: Set<ExternalFrontend>) -> Set<ObjectKey> {
        let before = claimed[key] ?? []
        if before.isEmpty, frontends.isEmpty { return [] }
        let claim = Claim(since: service?.json["metadata"]["creationTimestamp"].string ?? "", key: key)
        var others: Set<ObjectKey> = []
        for frontend in before.union(frontends) {
            var all = (claimants[frontend] ?? []).filter { $0.key != key }
            others.formUnion(all.map(\.key))
            if frontends.contains(frontend) { all.append(claim) }
            claimants[frontend] = all.isEmpty ? nil : all.sorted()
        }
        claimed[key] = frontends.isEmpty ? nil : frontends
        return others
    }

    /// What of a Service's claims another has.
    func taken(from key: ObjectKey) -> Set<ExternalFrontend> { (claimed[key] ?? []).filter { claimants[$0]?.first?.key != key } }
}
