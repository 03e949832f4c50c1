/// gateway.networking.k8s.io: a way into the cluster that its administrator opens, and routes that lead from there to Services.
/// (kubernetes-sigs/gateway-api, apis/v1)
package struct GatewayClass: Object {
    package static let resource = Resource.gatewayClasses
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    /// Whose Gateways minik's own controller serves.
    package static let ownController = "minik.dev/gateway-controller"
    /// The class that a cluster has from its start.
    package static let ownName = "minik"

    package var isOwn: Bool { spec["controllerName"].string == Self.ownController }
}

package struct Gateway: Object {
    package static let resource = Resource.gateways
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    /// What is made for a Gateway tells its name so. (GEP-1762)
    package static let nameLabel = "gateway.networking.k8s.io/gateway-name"

    package struct Listener: Sendable, Hashable {
        package let json: JSON
        package var name: String { json["name"].string ?? "" }
        package var port: Int { json["port"].int ?? 0 }
        /// As the document writes it: TCP, UDP, HTTP, ...
        package var protocolName: String { json["protocol"].string ?? "" }
        /// nil of one that takes a proxy.
        package var proto: TransportProtocol? {
            switch protocolName {
            case "TCP": .tcp
            case "UDP": .udp
            default: nil
            }
        }
    }

    package var className: String { spec["gatewayClassName"].string ?? "" }
    package var listeners: [Listener] { spec["listeners"].items.map(Listener.init) }
}

extension Service {
    /// The Gateway that it stands for.
    package var gateway: ObjectKey? {
        guard labels[Gateway.nameLabel] != nil, let owner = controllerOwner, owner.kind == Gateway.resource.kind else { return nil }
        return ObjectKey(namespace, owner.name)
    }
}

/// A route that leads a listener's port to Services: a TCPRoute or a UDPRoute.
package protocol PortRoute: Object {
    static var proto: TransportProtocol { get }
}

package struct TCPRoute: PortRoute {
    package static let resource = Resource.tcpRoutes
    package static let proto = TransportProtocol.tcp
    package var json: JSON
    package init(_ json: JSON) { self.json = json }
}

package struct UDPRoute: PortRoute {
    package static let resource = Resource.udpRoutes
    package static let proto = TransportProtocol.udp
    package var json: JSON
    package init(_ json: JSON) { self.json = json }
}

/// Whom a namespace lets refer to its objects from another.
package struct ReferenceGrant: Object {
    package static let resource = Resource.referenceGrants
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    /// Whether routes of `kind` in `namespace` may lead to the Service `name` of the grant's namespace.
    package func lets(_ kind: String, in namespace: String, referTo name: String) -> Bool {
        let isFrom = spec["from"].items.contains {
            $0["group"].string == Resource.gatewayGroup && $0["kind"].string == kind && $0["namespace"].string == namespace
        }
        return isFrom
            && spec["to"].items.contains {
                ($0["group"].string ?? "").isEmpty && $0["kind"].string == "Service" && ($0["name"].string ?? name) == name
            }
    }
}
