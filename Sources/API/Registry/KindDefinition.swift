import Model

/// What validation may look at beside the object.
package struct ValidationContext: Sendable {
    package let nodePortRange: ClosedRange<Int>
    /// One of each family that the cluster has.
    package let serviceCIDRs: [IPNetwork]
    /// The writer is a part of the cluster: its scheduler gives a pod its node by an update.
    package var isOwnPart = false
    /// The version as which the object came, where that is not the one that it is stored as.
    package var writtenVersion = ""
}

/// A part of an object with a path of its own.
package struct Subresource: Sendable {
    package let name: String
    package let verbs: [String]
    /// What is sent and answered, when that is not the object itself.
    package var kind: (group: String, version: String, kind: String)?
    /// How a write through it changes the object; nil: nothing is written through it.
    var strategy: WriteStrategy?

    package init(_ name: String, _ verbs: [String], kind: (String, String, String)? = nil, strategy: WriteStrategy? = nil) {
        self.name = name
        self.verbs = verbs
        self.kind = kind.map { ($0.0, $0.1, $0.2) }
        self.strategy = strategy
    }

    static let proxyVerbs = ["create", "delete", "get", "patch", "update"]
    static let status = status(.status)
    static func status(_ strategy: WriteStrategy) -> Subresource { Subresource("status", ["get", "patch", "update"], strategy: strategy) }
    static let scale = Subresource("scale", ["get", "patch", "update"], kind: ("autoscaling", "v1", "Scale"), strategy: .object)
}

/// How objects of one kind are kept as objects of another: the same thing under two names.
package struct StorageForm: Sendable {
    package let resource: Resource
    package let store: @Sendable (JSON) -> JSON
    package let present: @Sendable (JSON) -> JSON
    /// Fields stand in other places, or have other defaults: what is written is read as the version that it is of, and then converted.
    var convertsShape = false
    /// What must be there is asked of what is stored, however it came.
    var isAskedWhenStored = false

    /// The object as it is stored, under the name that it has there.
    func stored(_ object: JSON) -> JSON {
        var stored = store(object)
        stored["apiVersion"] = .string(resource.apiVersion)
        stored["kind"] = .string(resource.kind)
        return stored
    }
}

/// All the facts of one kind.
package struct KindDefinition: Sendable {
    package let resource: Resource
    package let singular: String
    package let shortNames: [String]
    package var categories: [String] = []
    package let schema: Schema
    package var subresources: [Subresource] = []
    /// What can be asked of it; reviews can only be created.
    package var verbs = KindDefinition.allVerbs
    /// `metadata.generation` counts the changes of its spec.
    package var hasGeneration: Bool
    package let columns: [Column]
    /// A sentence for `kubectl explain`.
    package var explanation = ""
    /// Fields beside the name and namespace that a field selector may ask for.
    package var selectableFields: [String] = []
    /// Where a field is that a selector calls by another name.
    var fieldAliases: [String: String] = [:]
    /// Fills in what a default that depends on other fields needs.
    package var prepare: @Sendable (inout JSON) -> Void
    /// What the server makes up for a new object; nobody owns it.
    var generate: @Sendable (inout JSON) -> Void = { _ in }
    /// What a new object of a client's gets beside; the cluster's own parts say all that they mean.
    var mark: @Sendable (inout JSON) -> Void = { _ in }
    /// Kubernetes' own complaints, in its words; `old` on an update.
    package var validate: Validation
    /// The same about a status that is reported.
    var validateStatus: Validation = { _, _, _ in [] }
    /// Notes in a new object who asks for it.
    var requested: @Sendable (_ object: inout JSON, _ by: UserInfo) -> Void = { _, _ in }
    /// Takes back what an update may not say.
    var prepareForUpdate: @Sendable (_ object: inout JSON, _ old: JSON) -> Void = { _, _ in }
    /// What the server does around the store for such objects.
    var hooks = StoreHooks()
    var deletion = DeletionStrategy()
    var nameRule = NameRule.subdomain
    /// A finalizer without a domain need not be one of Kubernetes' own.
    var namesFinalizersFreely = false
    /// How often an update's metadata is looked at.
    var metadataPasses: Int { Self.metadataPasses[resource.plural] ?? (isCustom ? 1 : 3) }
    /// A new object brings its status along: a node tells of itself.
    var keepsStatusOnCreate = false
    /// It may be created where nothing else may any more, in a namespace that is being deleted.
    var outlivesNamespace = false
    /// An update of what is not there creates it.
    package var allowsCreateOnUpdate = false
    /// An update need not say which version it is of.
    var allowsUnconditionalUpdate = true
    /// What an object asks for; a change of it is a new generation.
    var intent: @Sendable (JSON) -> JSON = { object in
        var intent = object
        for member in ["apiVersion", "kind", "metadata", "status"] { intent[member] = .null }
        return intent
    }
    /// What a user should know of an object just written, as a warning.
    package var warn: @Sendable (JSON) -> [String] = { _ in [] }
    /// What whoever asks for this version hears with every answer.
    var deprecation: String?
    /// Set when objects are stored as those of another resource.
    package var storage: StorageForm?
    /// Of those with a scale.
    var scale = ScaleForm()
    /// Defined by a CustomResourceDefinition: with the schema that says so.
    package var isCustom = false
    package var customSchema = JSON.null
    /// Its schema holds rules in CEL.
    var hasRules = false

    package typealias Validation = @Sendable (_ object: JSON, _ old: JSON?, _ context: ValidationContext) -> [StatusError.Cause]
    /// Of those that are not looked at three times.
    private static let metadataPasses: [String: Int] = [
        "pods": 4, "jobs": 4, "controllerrevisions": 4, "ingresses": 4, "ingressclasses": 4, "configmaps": 4, "secrets": 4,
        "serviceaccounts": 4, "namespaces": 4, "nodes": 4, "roles": 4, "rolebindings": 4, "clusterroles": 4, "clusterrolebindings": 4,
        "persistentvolumes": 4, "persistentvolumeclaims": 4, "events": 2, "poddisruptionbudgets": 2,
    ]
    package static let allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    /// Of Kubernetes' own API, where nothing is added by a CustomResourceDefinition.
    var isBuiltIn: Bool { !isCustom && !["apiextensions.k8s.io", "policy.networking.k8s.io"].contains(resource.group) }
    /// Upstream's server knows it as a type of its own, not by a CustomResourceDefinition.
    var isTyped: Bool { !isCustom && resource.group != "policy.networking.k8s.io" }
    package var hasStatus: Bool { subresources.contains { $0.name == "status" } }

    /// How a write through a subresource, or of the object itself (nil), changes an object; nil: it cannot.
    func strategy(_ subresource: String?) -> WriteStrategy? {
        guard let subresource else { return .object }
        return subresources.first { $0.name == subresource }?.strategy
    }

    /// A kind whose shape is the table's type `type`.
    package init(
        _ resource: Resource, _ singular: String, _ shortNames: [String] = [], type: String, _ subresources: [Subresource] = [],
        hasGeneration: Bool = false, columns: [Column] = [.name, .createdAt], prepare: @escaping @Sendable (inout JSON) -> Void = { _ in },
        validate: @escaping Validation = { _, _, _ in [] }
    ) {
        self.init(
            resource, singular, shortNames, schema: .object(SchemaTable.type(type)), subresources, hasGeneration: hasGeneration,
            columns: columns,
            prepare: prepare, validate: validate)
    }

    /// A kind of its own shape: `fields` beside apiVersion, kind and metadata.
    package init(
        _ resource: Resource, _ singular: String, _ shortNames: [String] = [], schema: Schema, _ subresources: [Subresource] = [],
        hasGeneration: Bool = false, columns: [Column] = [.name, .createdAt], prepare: @escaping @Sendable (inout JSON) -> Void = { _ in },
        validate: @escaping Validation = { _, _, _ in [] }
    ) {
        self.prepare = prepare
        self.validate = validate
        self.resource = resource
        self.singular = singular
        self.shortNames = shortNames
        self.schema = Self.withTypeMeta(schema)
        self.subresources = subresources
        self.hasGeneration = hasGeneration
        self.columns = columns
    }

    /// With apiVersion and kind before, which no table repeats.
    static func withTypeMeta(_ schema: Schema) -> Schema {
        guard case .object(let type) = schema else { return schema }
        let fields = type.fields.filter { !["apiVersion", "kind"].contains($0.name) }
        return .object(
            ObjectSchema(
                name: type.name, fields: [.init("apiVersion", .string), .init("kind", .string)] + fields, keepsUnknown: type.keepsUnknown))
    }

    static let metadata = Schema.object(SchemaTable.type("meta:ObjectMeta"))
    static let labelSelector = Schema.object(SchemaTable.type("meta:LabelSelector"))

    func with(_ change: (inout KindDefinition) -> Void) -> KindDefinition {
        var copy = self
        change(&copy)
        return copy
    }
}
