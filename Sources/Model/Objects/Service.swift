/// A transport protocol of a Service or policy port.
package enum TransportProtocol: String, Sendable, Hashable, CaseIterable, Comparable {
    case tcp = "TCP", udp = "UDP", sctp = "SCTP"

    /// The IANA protocol number.
    package var number: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        case .sctp: 132
        }
    }
    package static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

package struct Service: Object {
    package static let resource = Resource.services
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package struct Port: Sendable, Hashable {
        package let name: String
        package let proto: TransportProtocol
        package let port: Int
        /// A number, or a name that each pod resolves for itself.
        package let targetPort: JSON
        package let nodePort: Int?
        package let appProtocol: String?
    }

    package var type: String { spec["type"].string ?? "ClusterIP" }
    /// nil for headless Services and ExternalName.
    package var clusterIP: IPAddress? { spec["clusterIP"].string.flatMap { IPAddress($0) } }
    /// One of each family that it has, the primary first.
    package var clusterIPs: [IPAddress] {
        let all = spec["clusterIPs"].items
        return all.isEmpty ? clusterIP.map { [$0] } ?? [] : all.compactMap { $0.string.flatMap { IPAddress($0) } }
    }

    package func clusterIP(_ family: IPFamily) -> IPAddress? {
        if let clusterIP, clusterIP.family == family { return clusterIP }
        return spec["clusterIPs"].items.lazy.compactMap { $0.string.flatMap { IPAddress($0, family) } }.first
    }

    /// What its endpoints' addresses are of. A Service that names no family is of IPv4, as all were before there was another.
    package var families: [IPFamily] {
        let named = spec["ipFamilies"].items.compactMap { $0.string.flatMap { IPFamily(rawValue: $0) } }
        return named.isEmpty ? [clusterIP?.family ?? .ipv4] : named
    }
    package var isHeadless: Bool { spec["clusterIP"].string == "None" }
    /// nil when the Service selects no pods and its endpoints are somebody else's to write.
    package var selector: LabelSelector? {
        let labels = spec["selector"].stringMap
        return labels.isEmpty ? nil : LabelSelector(matching: labels)
    }
    package var ports: [Port] {
        spec["ports"].items.map { port in
            Port(
                name: port["name"].string ?? "",
                proto: TransportProtocol(rawValue: port["protocol"].string ?? "TCP") ?? .tcp,
                port: port["port"].int ?? 0,
                targetPort: port["targetPort"].isNull ? port["port"] : port["targetPort"],
                nodePort: port["nodePort"].int.flatMap { $0 == 0 ? nil : $0 }, appProtocol: port["appProtocol"].string)
        }
    }
    package var publishNotReadyAddresses: Bool { spec["publishNotReadyAddresses"].bool ?? false }
    /// Seconds of ClientIP affinity; nil without affinity.
    package var affinitySeconds: Int? {
        guard spec["sessionAffinity"].string == "ClientIP" else { return nil }
        return spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].int ?? 10800
    }
    package var externalTrafficIsLocal: Bool { spec["externalTrafficPolicy"].string == "Local" }
    package var internalTrafficIsLocal: Bool { spec["internalTrafficPolicy"].string == "Local" }
}

/// How a Service is reached from outside, beside its node ports.
extension Service {
    /// Whose load balancer it wants; nil: the cluster's own.
    package var loadBalancerClass: String? { spec["loadBalancerClass"].string }
    /// Where the user's own network leads to a node.
    package var externalIPs: [IPAddress] { spec["externalIPs"].items.compactMap { $0.string.flatMap { IPAddress($0) } } }
    /// The load balancer's addresses that the nodes themselves lead to endpoints; not those of one that is a proxy, which sees each
    /// connection. (`ipMode`, KEP-1860)
    package var balancerAddresses: [IPAddress] {
        guard type == "LoadBalancer" else { return [] }
        return status["loadBalancer"]["ingress"].items.compactMap { ingress in
            ingress["ipMode"].string == "Proxy" ? nil : ingress["ip"].string.flatMap { IPAddress($0) }
        }
    }
    /// Who may come by the load balancer's address; empty: everybody. Spaces around one are as old as the field.
    package var sourceRanges: [IPNetwork] {
        spec["loadBalancerSourceRanges"].items.compactMap { $0.string.flatMap { IPNetwork($0.trimmed) } }
    }
    /// From outside the cluster. (k8s.io/kubernetes/pkg/api/service, ExternallyAccessible)
    package var isExternallyAccessible: Bool {
        type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !spec["externalIPs"].items.isEmpty)
    }
    /// A load balancer has to know which nodes have endpoints. (NeedsHealthCheck)
    package var needsHealthCheck: Bool { type == "LoadBalancer" && externalTrafficIsLocal }
    package var healthCheckNodePort: Int? { spec["healthCheckNodePort"].int.flatMap { $0 == 0 ? nil : $0 } }
}

package struct EndpointSlice: Object {
    package static let resource = Resource.endpointSlices
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package static let serviceNameLabel = "kubernetes.io/service-name"

    package var serviceKey: ObjectKey { ObjectKey(namespace, labels[Self.serviceNameLabel] ?? "") }
    /// nil for names, and for what was written before there was a type.
    package var family: IPFamily? { json["addressType"].string.flatMap { IPFamily(rawValue: $0) } }
    package var endpoints: [JSON] { json["endpoints"].items }
    package var ports: [JSON] { json["ports"].items }
    /// Of the numbers that dice are thrown for how many lead to this slice's endpoints, those of a Gateway's route by its weights; to
    /// nobody where it has no endpoint. nil: one an endpoint.
    package static let slotsAnnotation = "minik.dev/slots"
    package var slots: Int? { annotations[Self.slotsAnnotation].flatMap { Int($0) }.map { min(max($0, 0), Self.mostSlots) } }
    package static let mostSlots = 4096
    /// Says for which zones or nodes an endpoint is meant.
    package var hasHints: Bool { endpoints.contains { !$0["hints"].isNull } }
}
