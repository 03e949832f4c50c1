import Model
import Store

extension APIServer {
    // MARK: Update

    package func update(_ kind: KindDefinition, _ object: JSON, subresource: String?, _ options: WriteOptions) async throws -> Written {
        var written = Written(object: .null)
        let decoded = try Self.decode(object, kind, options, &written.warnings)
        return try await retrying(decoded["metadata"]["resourceVersion"].isNull) {
            let key = Self.key(decoded, kind.resource)
            guard let old = await store.get(kind.resource, key) else { throw StatusError.notFound(kind.resource, key.name) }
            return try await replace(kind, decoded, old: old, subresource: subresource, options, written, managed: nil)
        }
    }

    /// The one way by which an object that is there becomes another. `managed` is what a server-side apply made of the fields' owners.
    private func replace(
        _ kind: KindDefinition, _ wanted: JSON, old: JSON, subresource: String?, _ options: WriteOptions, _ soFar: Written, managed: JSON?
    ) async throws -> Written {
        let resource = kind.resource
        let key = Self.key(old, resource)
        var written = soFar
        var object = wanted
        if let uid = object["metadata"]["uid"].string, uid != old["metadata"]["uid"].string {
            throw StatusError(
                409, .conflict,
                "Operation cannot be fulfilled on \(resource) \"\(key.name)\": Precondition failed: UID in precondition: \(uid), UID in object meta: \(old["metadata"]["uid"].string ?? "")"
            )
        }
        let expected = object["metadata"]["resourceVersion"].string ?? old["metadata"]["resourceVersion"].string
        if expected != old["metadata"]["resourceVersion"].string { throw StatusError.conflict(resource, key.name) }
        for field in [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace", "generateName",
            "selfLink",
            "resourceVersion",
        ] { object["metadata"][field] = old["metadata"][field] }
        object["metadata"]["managedFields"] = old["metadata"]["managedFields"]
        switch subresource {
        case "status":
            let status = object["status"]
            let metadata = object["metadata"]
            object = old
            object["status"] = status
            // Whoever reports on an object may mark it, too; labels of workloads are their owners'.
            if !kind.isCustom {
                object["metadata"]["annotations"] = metadata["annotations"]
                if resource.group != "apps" { object["metadata"]["labels"] = metadata["labels"] }
            }
        case "ephemeralcontainers":
            let added = object["spec"]["ephemeralContainers"]
            object = old
            object["spec"]["ephemeralContainers"] = added
            PodRules.prepare(&object["spec"])
        case "resize": object = try PodResize.apply(object, to: old)
        case "finalize":
            let finalizers = object["spec"]["finalizers"]
            object = old
            object["spec"]["finalizers"] = finalizers
        default:
            if kind.hasStatus { object["status"] = old["status"] }
            if resource == .pods, object["spec"]["ephemeralContainers"] != old["spec"]["ephemeralContainers"] {
                throw StatusError.invalid(
                    resource, key.name,
                    [.forbidden("spec.ephemeralContainers", "cannot be changed by an update; use the ephemeralcontainers subresource")])
            }
        }
        if subresource == nil { kind.prepare(&object) }
        if subresource == nil, options.fieldManager != nil, object["metadata"]["finalizers"] != old["metadata"]["finalizers"],
            !old["metadata"]["deletionTimestamp"].isNull
        {
            let had = Set(old["metadata"]["finalizers"].items)
            if object["metadata"]["finalizers"].items.contains(where: { !had.contains($0) }) {
                throw StatusError.invalid(
                    resource, key.name,
                    [
                        .forbidden(
                            "metadata.finalizers", "no new finalizers can be added if the object is being deleted, found new finalizers")
                    ])
            }
        }
        written.object = try await admitting(kind) {
            if subresource == nil { try await admit(&object, old: old, kind) }
            // What a pod's other updates may not touch a resize may, and has looked at.
            var base = old
            if subresource == "resize" { base["spec"] = object["spec"] }
            if subresource != "status" { try Self.validate(object, old: base, kind, context) }
            if kind.isCustom, subresource == "status" { try Self.validate(object, old: old, kind, context) }
            if let managed {
                object["metadata"]["managedFields"] = managed
            } else {
                track(&object, old: old, kind, subresource: subresource, options)
            }
            if kind.hasGeneration, subresource != "status", Self.intent(object) != Self.intent(old) {
                object["metadata"]["generation"] = .int((old["metadata"]["generation"].int ?? 1) + 1)
            }
            if options.isDryRun { return Self.ordered(object, kind) }
            let result = self.stored(try await store.update(resource, Self.ordered(object, kind), expected: expected), resource)
            if resource == .customResourceDefinitions, subresource == nil { try await establish(result) }
            return result
        }
        if options.isDryRun { return written }
        return try await finishDeletion(written, kind)
    }

    /// What an object asks for: everything but metadata and status. A pod's node is the scheduler's to say.
    private static func intent(_ object: JSON) -> JSON {
        var copy = object
        if object["kind"].string == "Pod" { copy["spec"]["nodeName"] = .null }
        copy["metadata"] = .null
        copy["status"] = .null
        return copy
    }

    // MARK: Patch

    package func patch(_ kind: KindDefinition, _ key: ObjectKey, _ patch: Patch, subresource: String?, _ options: WriteOptions) async throws
        -> Written
    {
        if case .apply(let config) = patch { return try await apply(kind, key, config, subresource: subresource, options) }
        var version: String?
        switch patch {
        case .merge(let body), .strategic(let body): version = body["metadata"]["resourceVersion"].string
        default: break
        }
        return try await retrying(version == nil) {
            guard let old = await store.get(kind.resource, key) else { throw StatusError.notFound(kind.resource, key.name) }
            var patched: JSON
            switch patch {
            case .merge(let body): patched = old.merging(body)
            case .json(let operations): patched = try JSONPatch.apply(operations, to: old)
            case .strategic(let body): patched = try StrategicMergePatch.apply(body, to: old, kind.schema)
            case .apply: patched = old
            }
            guard patched["metadata"]["name"] == old["metadata"]["name"] else {
                throw StatusError.badRequest(
                    "the name of the object (\(patched["metadata"]["name"].string ?? "")) does not match the name on the URL (\(key.name))")
            }
            if version == nil, patched["metadata"]["resourceVersion"].isNull {
                patched["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            }
            var written = Written(object: .null)
            let decoded = try Self.decode(patched, kind, options, &written.warnings)
            return try await replace(kind, decoded, old: old, subresource: subresource, options, written, managed: nil)
        }
    }

    /// Server-side apply.
    private func apply(_ kind: KindDefinition, _ key: ObjectKey, _ config: JSON, subresource: String?, _ options: WriteOptions) async throws
        -> Written
    {
        guard let manager = options.fieldManager, !manager.isEmpty else {
            throw StatusError(
                422, .invalid, "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                causes: [.required("fieldManager", "is required for apply patch")])
        }
        var config = config
        guard config["kind"].string == kind.resource.kind, config["apiVersion"].string == kind.resource.apiVersion else {
            throw StatusError.badRequest("invalid object type: \(config["apiVersion"].string ?? ""), Kind=\(config["kind"].string ?? "")")
        }
        if config["metadata"]["managedFields"].array != nil { throw StatusError.badRequest("metadata.managedFields must be nil") }
        config["metadata"]["name"] = .string(key.name)
        if kind.resource.namespaced { config["metadata"]["namespace"] = .string(key.namespace) }
        var warnings: [String] = []
        let applied = try Self.decode(config, kind, options, &warnings, fillsDefaults: false)
        let entry = ManagedFields.Entry(
            manager: manager, operation: "Apply", apiVersion: kind.resource.apiVersion, subresource: subresource ?? "",
            time: now().description,
            fields: FieldSet())
        return try await retrying(config["metadata"]["resourceVersion"].isNull) {
            guard let old = await store.get(kind.resource, key) else {
                guard subresource == nil else { throw StatusError.notFound(kind.resource, key.name) }
                if applied["metadata"]["uid"].string != nil { throw StatusError.conflict(kind.resource, key.name) }
                if let refusal = options.creationRefusal { throw refusal }
                // What the applier set is the applier's, and the rest nobody's.
                var managed = ManagedFields(.null)
                _ = try managed.apply(applied, entry, live: .emptyObject, kind.schema, kind.resource, force: true)
                var created = try await create(kind, applied, options, managed: managed.json)
                created.warnings = warnings
                return created
            }
            var managed = ManagedFields(old["metadata"])
            let merged = try managed.apply(applied, entry, live: old, kind.schema, kind.resource, force: options.force)
            var quiet = options
            quiet.fieldValidation = .ignore
            var written = Written(object: .null, warnings: warnings)
            var unused: [String] = []
            let decoded = try Self.decode(merged, kind, quiet, &unused)
            written = try await replace(kind, decoded, old: old, subresource: subresource, options, written, managed: managed.json)
            return written
        }
    }
}
