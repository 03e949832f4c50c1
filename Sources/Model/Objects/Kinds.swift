// Views of the kinds that controllers and agents read. Only fields that someone reads have a property.

package struct Namespace: Object {
    package static let resource = Resource.namespaces
    package var json: JSON
    package init(_ json: JSON) { self.json = json }
}

package struct ConfigMap: Object {
    package static let resource = Resource.configMaps
    package var json: JSON
    package init(_ json: JSON) { self.json = json }
}

package struct Secret: Object {
    package static let resource = Resource.secrets
    package var json: JSON
    package init(_ json: JSON) { self.json = json }
}

package struct Node: Object {
    package static let resource = Resource.nodes
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var podCIDR: IPNetwork? { spec["podCIDR"].string.flatMap { IPNetwork($0) } }
    package var taints: [JSON] { spec["taints"].items }
    package var isUnschedulable: Bool { spec["unschedulable"].bool ?? false }
    package var internalIP: IPAddress? {
        status["addresses"].items.first { $0["type"].string == "InternalIP" }?["address"].string.flatMap { IPAddress($0) }
    }
    package func internalIP(_ family: IPFamily) -> IPAddress? {
        status["addresses"].items.lazy.filter { $0["type"].string == "InternalIP" }
            .compactMap { $0["address"].string.flatMap { IPAddress($0, family) } }.first
    }
    package var isReady: Bool { status["conditions"].condition("Ready") == "True" }
    package static let zoneLabel = "topology.kubernetes.io/zone"
    package var zone: String? { labels[Self.zoneLabel] }
}

package struct Deployment: Object {
    package static let resource = Resource.deployments
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var replicas: Int { spec["replicas"].int ?? 1 }
    package var selector: LabelSelector { LabelSelector(spec["selector"]) }
    package var template: JSON { spec["template"] }
}

package struct ReplicaSet: Object {
    package static let resource = Resource.replicaSets
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var replicas: Int { spec["replicas"].int ?? 1 }
    package var selector: LabelSelector { LabelSelector(spec["selector"]) }
    package var template: JSON { spec["template"] }
}

extension JSON {
    /// The status of the condition of type `type` in a conditions array.
    package func condition(_ type: String) -> String? {
        items.first { $0["type"].string == type }?["status"].string
    }

    /// Sets a condition; its transition time moves only when its status does.
    package mutating func setCondition(
        _ type: String, _ status: Bool, reason: String? = nil, message: String? = nil, observedGeneration: Int? = nil,
        now: Timestamp
    ) {
        var conditions = items
        let wanted = status ? "True" : "False"
        let old = conditions.firstIndex { $0["type"].string == type }
        let since = old.flatMap { conditions[$0]["status"].string == wanted ? conditions[$0]["lastTransitionTime"] : nil }
        let condition: JSON = [
            "type": .string(type), "observedGeneration": JSON(observedGeneration), "status": .string(wanted),
            "lastTransitionTime": since ?? .string(now.description), "reason": JSON(reason), "message": JSON(message),
        ]
        if let old { conditions[old] = condition } else { conditions.append(condition) }
        self = .array(conditions)
    }
}
