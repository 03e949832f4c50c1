import Model

/// What the cluster's DNS knows: its Services and who stands behind them. Written as JSON for the server, which reads it
/// again whenever it changes.
package struct DNSRecords: Sendable, Hashable {
    package struct Endpoint: Sendable, Hashable {
        package let address: IPAddress
        package let hostname: String?
        /// What it serves, and where: of a headless Service it is the endpoint's own affair.
        package let ports: [Port]

        package init(address: IPAddress, hostname: String?, ports: [Port] = []) {
            self.address = address
            self.hostname = hostname
            self.ports = ports
        }

        /// The label that names it below its Service.
        package var label: String {
            hostname ?? address.description.replacing(address.family == .ipv4 ? "." : ":", with: "-")
        }
    }

    package struct Port: Sendable, Hashable {
        package let name: String
        package let proto: String
        package let number: Int

        package init(name: String, proto: String, number: Int) {
            self.name = name
            self.proto = proto
            self.number = number
        }
    }

    package struct ServiceRecord: Sendable, Hashable {
        package let name: String
        package let namespace: String
        /// None: headless, its endpoints are the answer.
        package let clusterIPs: [IPAddress]
        package let externalName: String?
        package let ports: [Port]
        package let endpoints: [Endpoint]
        /// false: slices that name a Service which is not there. Their addresses lead to its endpoints' names, these lead nowhere.
        package let isService: Bool

        package init(
            name: String, namespace: String, clusterIPs: [IPAddress], externalName: String?, ports: [Port], endpoints: [Endpoint],
            isService: Bool = true
        ) {
            self.name = name
            self.namespace = namespace
            self.clusterIPs = clusterIPs
            self.externalName = externalName
            self.ports = ports
            self.endpoints = endpoints
            self.isService = isService
        }
    }

    package let zone: String
    /// Counts the times that the whole was written: changes since then are kept in a file that bears it.
    package var serial = 0
    /// Names exist below a namespace even when nothing in it has one.
    package let namespaces: [String]
    package let services: [ServiceRecord]

    /// The records that follow from the cluster's objects.
    package static func compile(zone: String, namespaces: [String], services: [Service], slices: [EndpointSlice]) -> DNSRecords {
        let byService = Dictionary(grouping: slices, by: \.serviceKey)
        let services = Dictionary(services.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let keys = Set(services.keys).union(byService.keys).sorted()
        return DNSRecords(
            zone: zone, namespaces: namespaces.sorted(), services: keys.compactMap { record($0, services[$0], byService[$0] ?? []) })
    }

    /// What objects say of one Service's name; nil: nothing.
    package static func record(_ key: ObjectKey, _ service: Service?, _ slices: [EndpointSlice]) -> ServiceRecord? {
        var endpoints: Set<Endpoint> = []
        for slice in slices.sorted(by: { $0.name < $1.name }) {
            let ports = slice.ports.map {
                Port(name: $0["name"].string ?? "", proto: ($0["protocol"].string ?? "TCP").lowercased(), number: $0["port"].int ?? 0)
            }
            // Who wants addresses that are not ready has them called ready in the slice.
            for endpoint in slice.endpoints where endpoint["conditions"]["ready"].bool ?? true {
                for address in endpoint["addresses"].items.compactMap({ $0.string.flatMap { IPAddress($0) } }) {
                    endpoints.insert(Endpoint(address: address, hostname: endpoint["hostname"].string, ports: ports))
                }
            }
        }
        guard service != nil || !endpoints.isEmpty, !key.name.isEmpty else { return nil }
        return ServiceRecord(
            name: key.name, namespace: key.namespace, clusterIPs: service?.clusterIPs ?? [],
            externalName: service?.type == "ExternalName" ? service?.spec["externalName"].string : nil,
            ports: service?.ports.map { Port(name: $0.name, proto: $0.proto.rawValue.lowercased(), number: $0.port) } ?? [],
            endpoints: endpoints.sorted { ($0.address, $0.hostname ?? "") < ($1.address, $1.hostname ?? "") }, isService: service != nil)
    }

    package init(zone: String, namespaces: [String] = [], services: [ServiceRecord]) {
        self.zone = zone
        self.namespaces = namespaces
        self.services = services
    }

    package init(_ json: JSON) {
        zone = json["zone"].string ?? "cluster.local"
        serial = json["serial"].int ?? 0
        namespaces = json["namespaces"].items.compactMap(\.string)
        services = json["services"].items.map { ServiceRecord($0) }
    }

    /// The serial of a whole's bytes, which it begins with; nil when it begins with anything else.
    package static func serial(_ bytes: [UInt8]) -> Int? {
        let start = Array(#"{"serial":"#.utf8)
        guard bytes.starts(with: start) else { return nil }
        return Int(String(decoding: bytes[start.count...].prefix { 0x30...0x39 ~= $0 }, as: UTF8.self))
    }

    package var json: JSON {
        [
            "serial": .int(serial), "zone": .string(zone), "namespaces": .array(namespaces.map { .string($0) }),
            "services": .array(services.map(\.json)),
        ]
    }
}

extension DNSRecords.ServiceRecord {
    package init(_ json: JSON) {
        func ports(_ json: JSON) -> [DNSRecords.Port] {
            json.items.map {
                DNSRecords.Port(name: $0["name"].string ?? "", proto: $0["protocol"].string ?? "tcp", number: $0["port"].int ?? 0)
            }
        }
        self.init(
            name: json["name"].string ?? "", namespace: json["namespace"].string ?? "",
            clusterIPs: ([json["clusterIP"]] + json["otherClusterIPs"].items).compactMap { $0.string.flatMap { IPAddress($0) } },
            externalName: json["externalName"].string, ports: ports(json["ports"]),
            endpoints: json["endpoints"].items.compactMap { endpoint in
                endpoint["address"].string.flatMap { IPAddress($0) }.map {
                    DNSRecords.Endpoint(address: $0, hostname: endpoint["hostname"].string, ports: ports(endpoint["ports"]))
                }
            }, isService: json["isService"].bool ?? true)
    }

    package var json: JSON {
        func json(_ ports: [DNSRecords.Port]) -> JSON {
            .array(ports.map { ["name": .string($0.name), "protocol": .string($0.proto), "port": .int($0.number)] })
        }
        return [
            "name": .string(name), "namespace": .string(namespace), "clusterIP": JSON(clusterIPs.first?.description),
            // Apart: whoever knows of one alone reads that.
            "otherClusterIPs": clusterIPs.count > 1 ? .array(clusterIPs.dropFirst().map { .string($0.description) }) : .null,
            "externalName": JSON(externalName),
            "ports": json(ports),
            "endpoints": .array(
                endpoints.map { ["address": .string($0.address.description), "hostname": JSON($0.hostname), "ports": json($0.ports)] }),
            "isService": isService ? .null : false,
        ]
    }
}
