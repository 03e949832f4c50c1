import Model

/// A column of `kubectl get`.
package struct Column: Sendable {
    package let name: String
    /// Shown with `-o wide` only.
    package let isWide: Bool
    package let cell: @Sendable (JSON, Timestamp) -> String

    package init(_ name: String, wide: Bool = false, _ cell: @escaping @Sendable (JSON, Timestamp) -> String) {
        self.name = name
        isWide = wide
        self.cell = cell
    }

    package static let name = Column("Name") { object, _ in object["metadata"]["name"].string ?? "" }
    package static let age = Column("Age") { object, now in
        guard let created = object["metadata"]["creationTimestamp"].string.flatMap(Timestamp.init) else { return "<unknown>" }
        return humanDuration(seconds: now.seconds - created.seconds)
    }
}

/// What validation may look at beside the object.
package struct ValidationContext: Sendable {
    package let nodePortRange: ClosedRange<Int>
    package let serviceCIDR: CIDR
}

/// All the facts of one kind. One file a kind makes one of these.
package struct KindDefinition: Sendable {
    package let resource: Resource
    package let singular: String
    package let shortNames: [String]
    /// Fields beside apiVersion, kind and metadata.
    package let fields: [Schema.Field]
    package var hasStatus = true
    package let columns: [Column]
    /// Fills in what a default that depends on other fields needs.
    package var prepare: @Sendable (inout JSON) -> Void = { _ in }
    /// Kubernetes' own complaints, in its words; `old` on an update.
    package var validate: @Sendable (_ object: JSON, _ old: JSON?, _ context: ValidationContext) -> [StatusError.Cause] = { _, _, _ in [] }

    package var schema: Schema {
        .object([.init("apiVersion", .string), .init("kind", .string), .init("metadata", KindDefinition.metadata)] + fields)
    }

    static let metadata = Schema.object([
        .init("name", .string), .init("generateName", .string), .init("namespace", .string), .init("selfLink", .string),
        .init("uid", .string), .init("resourceVersion", .string), .init("generation", .int),
        .init("creationTimestamp", .string), .init("deletionTimestamp", .string), .init("deletionGracePeriodSeconds", .int),
        .init("labels", .labels), .init("annotations", .labels),
        .init(
            "ownerReferences",
            .list(
                .object([
                    .init("apiVersion", .string, required: true), .init("kind", .string, required: true),
                    .init("name", .string, required: true), .init("uid", .string, required: true),
                    .init("controller", .bool), .init("blockOwnerDeletion", .bool),
                ]), key: "uid")),
        .init("finalizers", .strings), .init("managedFields", .any),
    ])

    static let labelSelector = Schema.object([
        .init("matchLabels", .labels),
        .init(
            "matchExpressions",
            .list(
                .object([
                    .init("key", .string, required: true),
                    .init("operator", .string, required: true),
                    .init("values", .strings),
                ]))),
    ])
}

/// Every kind there is, found by what users and paths call it.
package enum Registry {
    package static let kinds: [KindDefinition] = [
        .namespace, .node, .pod, .service, .endpoints, .endpointSlice, .configMap, .secret, .serviceAccount, .event,
        .deployment, .replicaSet, .networkPolicy, .clusterNetworkPolicy,
    ]

    package static func kind(apiVersion: String, kind: String) -> KindDefinition? {
        kinds.first { $0.resource.apiVersion == apiVersion && $0.resource.kind == kind }
    }

    package static func kind(group: String, version: String, plural: String) -> KindDefinition? {
        kinds.first { $0.resource.group == group && $0.resource.version == version && $0.resource.plural == plural }
    }

    package static func kind(of resource: Resource) -> KindDefinition? { kinds.first { $0.resource == resource } }

    /// Finds what a user names: `pods`, `pod`, `po`, `Pod`, `deployments.apps`.
    package static func kind(named text: String) -> KindDefinition? {
        let name = text.lowercased()
        let short = name.split(separator: ".").first.map(String.init) ?? name
        return kinds.first {
            [$0.resource.plural, $0.singular].contains(short) || $0.shortNames.contains(name)
        }
    }
}
