import Model
import Netlink

/// What goes from one end to another just now, in names of the picture: a pod's key, `node/NAME`, `outside`.
package struct MapFlow: Sendable, Hashable {
    package let from: String
    package let to: String
    /// The Service that it was sent to, by its key.
    package let service: String?
    /// `TCP/80`, where it arrives.
    package let port: String
    /// On how many connections.
    package var count: Int

    /// More than these no eye follows.
    package static let most = 120

    /// The connections that have ends in the picture, those on which most goes first.
    package static func flows(_ connections: [ConnectionMoves.Connection], _ map: ClusterMap) -> [MapFlow] {
        let names = Names(map)
        var counts: [MapFlow: Int] = [:]
        for connection in connections {
            // Whoever answers is where the packets really go.
            let source = connection.original.source, target = connection.reply.source
            guard let from = names.ends[source], let to = names.ends[target], from != to else { continue }
            if Self.isTunnel(connection), from.hasPrefix("node/"), to.hasPrefix("node/") { continue }
            let flow = MapFlow(
                from: from, to: to, service: connection.isTranslated ? names.service(connection.original) : nil,
                port: Self.port(connection), count: 0)
            counts[flow, default: 0] += 1
        }
        let flows = counts.map { flow, count in
            MapFlow(from: flow.from, to: flow.to, service: flow.service, port: flow.port, count: count)
        }
        return Array(flows.sorted { ($1.count, $0.from, $0.to, $0.port) < ($0.count, $1.from, $1.to, $1.port) }.prefix(most))
    }

    /// The outer packets of a VXLAN, by flannel's port or IANA's: what is inside is shown.
    private static func isTunnel(_ connection: ConnectionMoves.Connection) -> Bool {
        connection.original.proto == TransportProtocol.udp.number && [8472, 4789].contains(connection.original.destinationPort)
    }

    private static func port(_ connection: ConnectionMoves.Connection) -> String {
        let proto = connection.original.proto
        guard let name = TransportProtocol.allCases.first(where: { $0.number == proto }) else {
            return [1, 58].contains(proto) ? "ICMP" : "IP/\(proto)"
        }
        return "\(name.rawValue)/\(connection.reply.sourcePort)"
    }

    package var json: JSON {
        ["from": .string(from), "to": .string(to), "service": JSON(service), "port": .string(port), "count": .int(count)]
    }

    /// An address without a name is nobody's in the picture: a Service's that leads to nobody, a pod's that is gone.
    private struct Names {
        var ends: [IPAddress: String] = [:]
        var services: [IPAddress: String] = [:]
        /// Behind the ports of nodes.
        var nodePorts: [Int: String] = [:]

        init(_ map: ClusterMap) {
            for machine in map.machines where machine.kind != .lan {
                let name = machine.kind == .node ? "node/\(machine.name)" : "outside"
                let own = machine.addresses + machine.devices.flatMap(\.addresses).map { String($0.prefix { $0 != "/" }) }
                for address in own.compactMap({ IPAddress($0) }) { ends[address] = name }
            }
            for pod in map.pods where !pod.isHostNetwork {
                for address in pod.addresses.compactMap({ IPAddress($0) }) { ends[address] = "\(pod.key)" }
            }
            for service in map.services {
                for address in (service.addresses + service.outsideAddresses).compactMap({ IPAddress($0) }) {
                    services[address] = "\(service.key)"
                }
                for port in service.nodePorts { nodePorts[port] = "\(service.key)" }
            }
        }

        func service(_ sent: ConnectionTuple) -> String? { services[sent.destination] ?? nodePorts[Int(sent.destinationPort)] }
    }
}
