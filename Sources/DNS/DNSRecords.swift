import Model

/// What the cluster's DNS knows: its Services and who stands behind them. Written as JSON for the server, which reads it
/// again whenever it changes.
package struct DNSRecords: Sendable, Hashable {
    package struct Endpoint: Sendable, Hashable {
        package let address: IPv4Address
        package let hostname: String?
    }

    package struct Port: Sendable, Hashable {
        package let name: String
        package let proto: String
        package let number: Int
    }

    package struct ServiceRecord: Sendable, Hashable {
        package let name: String
        package let namespace: String
        /// nil: headless, its endpoints are the answer.
        package let clusterIP: IPv4Address?
        package let externalName: String?
        package let ports: [Port]
        package let endpoints: [Endpoint]
    }

    package let zone: String
    package let services: [ServiceRecord]

    /// The records that follow from the cluster's objects.
    package static func compile(zone: String, services: [Service], slices: [EndpointSlice]) -> DNSRecords {
        let byService = Dictionary(grouping: slices, by: \.serviceKey)
        let records = services.sorted { $0.key < $1.key }.map { service in
            let mine = byService[service.key] ?? []
            let endpoints = mine.flatMap(\.endpoints).filter {
                service.publishNotReadyAddresses || $0["conditions"]["ready"].bool ?? true
            }.flatMap { endpoint in
                endpoint["addresses"].items.compactMap { $0.string.flatMap { IPv4Address($0) } }.map {
                    Endpoint(address: $0, hostname: endpoint["hostname"].string)
                }
            }
            // Nothing translates a port on the way to a headless Service's pod: its number is the pod's own.
            let ports = service.ports.map { port -> Port in
                let served = mine.lazy.flatMap(\.ports).first { ($0["name"].string ?? "") == port.name && $0["protocol"].string == port.proto.rawValue }
                let number = service.isHeadless ? served?["port"].int ?? port.port : port.port
                return Port(name: port.name, proto: port.proto.rawValue.lowercased(), number: number)
            }
            return ServiceRecord(
                name: service.name, namespace: service.namespace, clusterIP: service.clusterIP,
                externalName: service.type == "ExternalName" ? service.spec["externalName"].string : nil,
                ports: ports, endpoints: Array(Set(endpoints)).sorted { ($0.address, $0.hostname ?? "") < ($1.address, $1.hostname ?? "") })
        }
        return DNSRecords(zone: zone, services: records)
    }

    package init(zone: String, services: [ServiceRecord]) {
        self.zone = zone
        self.services = services
    }

    package init(_ json: JSON) {
        zone = json["zone"].string ?? "cluster.local"
        services = json["services"].items.map { service in
            ServiceRecord(
                name: service["name"].string ?? "", namespace: service["namespace"].string ?? "",
                clusterIP: service["clusterIP"].string.flatMap { IPv4Address($0) }, externalName: service["externalName"].string,
                ports: service["ports"].items.map { Port(name: $0["name"].string ?? "", proto: $0["protocol"].string ?? "tcp", number: $0["port"].int ?? 0) },
                endpoints: service["endpoints"].items.compactMap { endpoint in
                    endpoint["address"].string.flatMap { IPv4Address($0) }.map { Endpoint(address: $0, hostname: endpoint["hostname"].string) }
                })
        }
    }

    package var json: JSON {
        [
            "zone": .string(zone),
            "services": .array(
                services.map { service in
                    [
                        "name": .string(service.name), "namespace": .string(service.namespace), "clusterIP": JSON(service.clusterIP?.description),
                        "externalName": JSON(service.externalName),
                        "ports": .array(service.ports.map { ["name": .string($0.name), "protocol": .string($0.proto), "port": .int($0.number)] }),
                        "endpoints": .array(service.endpoints.map { ["address": .string($0.address.description), "hostname": JSON($0.hostname)] }),
                    ]
                }),
        ]
    }
}
