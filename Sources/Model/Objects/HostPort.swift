/// A port of a node that a pod claims for one of its own: `hostPort` of a container's port. (core/v1 ContainerPort)
package struct HostPort: Sendable, Hashable {
    /// nil: every address of the node.
    package let address: IPAddress?
    package let proto: TransportProtocol
    package let port: UInt16
    package let containerPort: UInt16

    /// Both cannot be on one node. (k8s.io/kubernetes/pkg/scheduler/framework, HostPortInfo)
    package func conflicts(with other: HostPort) -> Bool {
        proto == other.proto && port == other.port && (address == nil || other.address == nil || address == other.address)
    }
}

extension Pod {
    package var hostPorts: [HostPort] {
        (containers + initContainers.filter { $0.json["restartPolicy"].string == "Always" }).flatMap(\.ports).compactMap { port in
            guard let number = port["hostPort"].int.flatMap({ UInt16(exactly: $0) }), number > 0,
                let own = port["containerPort"].int.flatMap({ UInt16(exactly: $0) }),
                let proto = TransportProtocol(rawValue: port["protocol"].string ?? "TCP")
            else { return nil }
            let address = port["hostIP"].string.flatMap { IPAddress($0) }
            return HostPort(address: address.flatMap { $0.isUnspecified ? nil : $0 }, proto: proto, port: number, containerPort: own)
        }
    }

    /// Whether a port of the node that this pod claims is another's already.
    package func hostPortsConflict(with other: Pod) -> Bool {
        let mine = hostPorts
        return !mine.isEmpty && other.hostPorts.contains { theirs in mine.contains { $0.conflicts(with: theirs) } }
    }
}
