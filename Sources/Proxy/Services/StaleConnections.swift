import Model
import Rules

/// An address and UDP port where a Service is reached on one node.
struct UDPFrontend: Hashable, Sendable {
    let address: IPAddress
    let port: UInt16
}

/// Which UDP connections the kernel leads where no rule leads any more. A client that goes on sending keeps its connection's entry alive,
/// and with it an endpoint that is gone, or the memory of a time before the Service was there.
struct StaleConnections {
    /// Where packets to each frontend may go; nowhere, for frontends that are gone.
    let frontends: [UDPFrontend: Set<IPAddress>]
    let serviceCIDR: IPNetwork

    func find(in connections: [TrackedConnection]) -> [TrackedConnection] {
        connections.filter { connection in
            let sent = connection.sent
            guard sent.proto == TransportProtocol.udp.number else { return false }
            guard let endpoints = frontends[UDPFrontend(address: sent.destination, port: sent.destinationPort)] else {
                // No Service is there (any more).
                return serviceCIDR.contains(sent.destination)
            }
            return !endpoints.contains(connection.packet.destination)
        }
    }
}
