import Model

/// Server-side apply. (kubernetes.io/docs/reference/using-api/server-side-apply)
extension APIServer {
    func apply(_ kind: KindDefinition, _ key: ObjectKey, _ config: JSON, subresource: String?, _ options: WriteOptions) async throws
        -> Written
    {
        guard let manager = options.fieldManager, !manager.isEmpty else {
            throw StatusError.invalid(
                Resource("meta.k8s.io", "v1", "", "PatchOptions"), "", [.required("fieldManager", "is required for apply patch")])
        }
        let config = try Self.named(config, kind, key)
        var read = Written()
        let applied = try Self.decode(config, kind, options, &read, fillsDefaults: false)
        let warnings = read.warnings
        let entry = ManagedFields.Entry(
            manager: manager, operation: "Apply", apiVersion: kind.resource.apiVersion, subresource: subresource ?? "",
            time: now().description)
        let strategy = try Self.strategy(kind, subresource)
        return try await retrying(config["metadata"]["resourceVersion"].isNull) {
            guard let old = try await store.get(kind.resource, key) else {
                guard subresource == nil else { throw StatusError.notFound(kind.resource, key.name) }
                try Self.mayCreate(applied, kind, key, options)
                var applied = applied
                Self.noteLastApplied(config, manager, in: &applied)
                if kind.resource.namespaced { applied["metadata"]["namespace"] = .string(key.namespace) }
                // What the applier set is the applier's, and the rest nobody's.
                var managed = ManagedFields(.null)
                _ = try managed.apply(
                    config, entry, live: .emptyObject, kind.schema, force: true, ignored: strategy.unowned(kind))
                var created = try await create(kind, applied, options, managed: managed.json)
                created.warnings = warnings + created.warnings
                return created
            }
            if let uid = applied["metadata"]["uid"].string, .string(uid) != old["metadata"]["uid"] {
                throw Self.otherUID(kind.resource, key.name, uid)
            }
            let (merged, managed) = try Self.applying(config, entry, to: old, kind, force: options.force, strategy.unowned(kind))
            var quiet = options
            quiet.fieldValidation = .ignore
            var written = Written()
            let decoded = try Self.decode(merged, kind, quiet, &written, ignoring: strategy.isIgnored)
            written.warnings = warnings
            return try await replace(
                kind, decoded, old: old, subresource: subresource, options, written, managed: managed)
        }
    }

    /// The configuration, which has to be one of the object that the path names.
    private static func named(_ given: JSON, _ kind: KindDefinition, _ key: ObjectKey) throws -> JSON {
        var config = given
        guard config["kind"].string == kind.resource.kind, config["apiVersion"].string == kind.resource.apiVersion else {
            let version = config["apiVersion"].string ?? ""
            throw StatusError.badRequest(
                "invalid object type: \(version.contains("/") ? version : "/\(version)"), Kind=\(config["kind"].string ?? "")")
        }
        if let namespace = config["metadata"]["namespace"].string, kind.resource.namespaced, namespace != key.namespace {
            throw StatusError.otherNamespace
        }
        if config["metadata"]["managedFields"].array != nil { throw StatusError.badRequest("metadata.managedFields must be nil") }
        config["metadata"]["name"] = .string(key.name)
        try checkTypes(of: config, kind, key)
        return config
    }

    private static func mayCreate(_ applied: JSON, _ kind: KindDefinition, _ key: ObjectKey, _ options: WriteOptions) throws {
        if let uid = applied["metadata"]["uid"].string {
            throw StatusError(
                409, .conflict,
                "Operation cannot be fulfilled on \(kind.resource) \"\(key.name)\": uid mismatch: the provided object specified uid \(uid), and no existing object was found",
                details: StatusError.details(kind.resource, key.name))
        }
        if let refusal = options.creationRefusal { throw refusal }
    }

    /// What becomes of `old` and of its managedFields when `config` is applied.
    private static func applying(
        _ config: JSON, _ entry: ManagedFields.Entry, to old: JSON, _ kind: KindDefinition, force: Bool, _ ignored: FieldSet
    ) throws -> (JSON, JSON) {
        var managed = ManagedFields(old["metadata"])
        if managed.entries.isEmpty { managed.noteUnknown(old, kind, time: entry.time, ignored) }
        let before = managed
        do {
            var merged = try managed.apply(config, entry, live: old, kind.schema, force: force, ignored: ignored)
            Self.noteLastApplied(config, entry.manager, in: &merged)
            return (merged, managed.json)
        } catch let conflict as ApplyConflict {
            // kubectl takes over what kubectl applied before on its own, without the server.
            guard entry.manager == kubectl, conflict.fields.subtracting(lastApplied(to: old, kind)).isEmpty else {
                throw conflict.status
            }
            managed = before
            var merged = try managed.apply(config, entry, live: old, kind.schema, force: true, ignored: ignored)
            Self.noteLastApplied(config, entry.manager, in: &merged)
            return (merged, managed.json)
        }
    }

    private static let kubectl = "kubectl", lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    /// The fields that `kubectl apply` set without the server, as far as they still are as it set them.
    /// (k8s.io/apimachinery/pkg/util/managedfields, lastAppliedManager)
    private static func lastApplied(to object: JSON, _ kind: KindDefinition) -> FieldSet {
        guard let text = object["metadata"]["annotations"][lastApplied].string, let config = try? JSON(parsing: text),
            config["apiVersion"].string == kind.resource.apiVersion
        else { return FieldSet() }
        let comparison = kind.schema.comparison(config, object)
        return kind.schema.fields(of: config).subtracting(comparison.set).subtracting(comparison.removed)
    }

    /// Keeps the note of kubectl's that is there in step with what kubectl applies by the server. (lastAppliedUpdater)
    private static func noteLastApplied(_ config: JSON, _ manager: String, in merged: inout JSON) {
        guard manager == kubectl, let held = merged["metadata"]["annotations"][lastApplied].string, !held.isEmpty else { return }
        var noted = config
        var annotations = noted["metadata"]["annotations"].object ?? JSONObject()
        annotations[lastApplied] = nil
        noted["metadata"]["annotations"] = .object(annotations)
        merged["metadata"]["annotations"][lastApplied] = .string(noted.sorted.text() + "\n")
    }
}
