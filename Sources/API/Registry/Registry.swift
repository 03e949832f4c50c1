import Model

/// Every kind that minik itself has, found by what users and paths call it.
package enum Registry {
    package static let kinds: [KindDefinition] =
        [
            .namespace, .node, .pod, .service, .endpoints, .configMap, .secret, .serviceAccount, .event, .resourceQuota, .limitRange,
            .replicationController, .podTemplate,
            .deployment, .replicaSet, .daemonSet, .statefulSet, .controllerRevision, .job, .cronJob,
            .endpointSlice, .networkPolicy, .ingress, .ingressClass, .podDisruptionBudget, .lease, .groupEvent,
            .persistentVolume, .persistentVolumeClaim, .storageClass, .csiDriver, .csiNode, .csiStorageCapacity, .volumeAttachment,
            .volumeAttributesClass,
            .runtimeClass, .priorityClass, .serviceCIDR, .ipAddress,
            .certificateRequest, .role, .roleBinding, .clusterRole, .clusterRoleBinding, .customResourceDefinition,
            .validatingWebhooks, .mutatingWebhooks,
        ] + KindDefinition.clusterNetworkPolicies + KindDefinition.gateways

    private static let byKind = Dictionary(
        kinds.map { ("\($0.resource.apiVersion)/\($0.resource.kind)", $0) }, uniquingKeysWith: { a, _ in a })
    private static let byPath = Dictionary(
        kinds.map { ("\($0.resource.group)/\($0.resource.version)/\($0.resource.plural)", $0) }, uniquingKeysWith: { a, _ in a })

    package static func kind(apiVersion: String, kind: String) -> KindDefinition? { byKind["\(apiVersion)/\(kind)"] }
    package static func kind(group: String, version: String, plural: String) -> KindDefinition? { byPath["\(group)/\(version)/\(plural)"] }
    /// Of any version.
    static func has(group: String, plural: String) -> Bool { kinds.contains { $0.resource.group == group && $0.resource.plural == plural } }
    package static func kind(of resource: Resource) -> KindDefinition? {
        kind(group: resource.group, version: resource.version, plural: resource.plural)
    }

    /// Finds what a user names: `pods`, `pod`, `po`, `Pod`, `deployments.apps`.
    package static func kind(named text: String) -> KindDefinition? { kind(named: text, among: kinds) }

    package static func kind(named text: String, among kinds: [KindDefinition]) -> KindDefinition? {
        let name = text.lowercased()
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        return kinds.first { kind in
            guard [kind.resource.plural, kind.singular].contains(parts.first ?? name) || kind.shortNames.contains(name) else {
                return false
            }
            return parts.count < 2 || kind.resource.group.hasPrefix(parts[1])
                || "\(kind.resource.version).\(kind.resource.group)" == parts[1]
        }
    }
}
