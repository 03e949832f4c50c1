import Model
import Store

extension APIServer {
    // MARK: Update

    package func update(_ kind: KindDefinition, _ object: JSON, subresource: String?, _ options: WriteOptions) async throws -> Written {
        let strategy = try Self.strategy(kind, subresource)
        var written = Written(object: .null)
        written.warnings = options.warnings
        var decoded = try Self.decode(object, kind, options, &written, ignoring: strategy.isIgnored)
        // 0 is no version: whichever there is.
        if decoded["metadata"]["resourceVersion"].string == "0" { decoded["metadata"]["resourceVersion"] = .null }
        let isUnconditional = decoded["metadata"]["resourceVersion"].isNull
        return try await retrying(isUnconditional) {
            let key = Self.key(decoded, kind.resource)
            guard let old = try await store.get(kind.resource, key) else {
                guard kind.allowsCreateOnUpdate, subresource == nil else { throw StatusError.notFound(kind.resource, key.name) }
                if let refusal = options.creationRefusal { throw refusal }
                return try await create(kind, object, options)
            }
            if isUnconditional, !kind.allowsUnconditionalUpdate, options.fieldManager != nil {
                throw StatusError.invalid(
                    Resource(kind.resource.group, kind.resource.version, kind.resource.plural, kind.resource.plural), key.name,
                    [.invalid("metadata.resourceVersion", 0, "must be specified for an update")])
            }
            do {
                return try await replace(kind, decoded, old: old, subresource: subresource, options, written, managed: nil)
            } catch let error as StatusError { throw error.warning(written.warnings) }
        }
    }

    nonisolated static func strategy(_ kind: KindDefinition, _ subresource: String?) throws -> WriteStrategy {
        guard let strategy = kind.strategy(subresource) else { throw StatusError.noSuchPath }
        return strategy
    }

    /// The one way by which an object that is there becomes another: prepared as the strategy of its path says, admitted,
    /// validated, tracked, stored. `managed` is what a server-side apply made of the fields' owners.
    func replace(
        _ kind: KindDefinition, _ wanted: JSON, old: JSON, subresource: String?, _ options: WriteOptions, _ soFar: Written, managed: JSON?
    ) async throws -> Written {
        let resource = kind.resource, strategy = try Self.strategy(kind, subresource)
        var written = soFar
        let expected = try Self.expectedVersion(of: wanted, old: old, resource)
        let immutable = ObjectRules.validateUpdate(wanted, old: old)
        var object = try strategy.prepareForUpdate(Self.keepingIdentity(of: old, in: wanted), old, kind)
        // What the server fills in from here on is nobody's.
        let managed =
            managed
            ?? managers(
                of: object, old: old, kind, subresource: subresource, options, forgets: ManagedFields.forgets(wanted["metadata"]))
        let isLast = Self.isLast(object, old: old, kind)
        let write: () async throws -> (object: JSON, warnings: [String]) = { [self] in
            if strategy.isAdmitted { try await admit(&object, old: old, kind) }
            let finalizers = options.fieldManager == nil ? [] : ObjectRules.validateFinalizers(object, old: old)
            let metadata = ObjectRules.repeating(immutable + finalizers + ObjectRules.validate(object, kind), kind)
            let causes = strategy.validateUpdate(object, old, kind, context(options))
            try Self.refuse(metadata + Self.joining(soFar.found, causes), object, kind)
            let warnings = strategy.isReviewed ? try await kind.hooks.review(object, old, self) : []
            object["metadata"]["managedFields"] = managed
            if kind.hasGeneration, kind.intent(object) != kind.intent(old) {
                object["metadata"]["generation"] = .int((old["metadata"]["generation"].int ?? 1) + 1)
            }
            let ordered = Self.ordered(object, kind)
            if options.isDryRun { return (ordered, warnings) }
            if isLast {
                try await finish(ObjectKey(of: ordered), expected, kind)
                return (ordered, warnings)
            }
            let result = try await store.update(resource, ordered, expected: expected)
            if strategy.isAdmitted { kind.hooks.stored(result, self) }
            return (result, warnings)
        }
        let outcome = strategy.isAdmitted || isLast ? try await admitting(kind, write) : try await write()
        written.object = outcome.object
        written.warnings += outcome.warnings
        written.isGone = isLast && !options.isDryRun
        if Self.warns(of: written.object, old: old, kind, subresource, options) { written.warnings += kind.warn(written.object) }
        if options.isDryRun || isLast { return written }
        if subresource == nil { try await kind.hooks.afterUpdate(written.object, self) }
        return written
    }

    /// Whether who writes hears what a user should know of the object: not whoever reports on it, nor of an intent that is as it was.
    /// (upstream: the strategies' WarningsOnUpdate)
    private static func warns(of object: JSON, old: JSON, _ kind: KindDefinition, _ subresource: String?, _ options: WriteOptions) -> Bool {
        guard subresource == nil, options.fieldManager != nil else { return false }
        return !kind.hasGeneration || object["metadata"]["generation"] != old["metadata"]["generation"]
    }

    /// What is said of a patch that is of another object; the real server looks twice, and says it twice.
    static func otherUID(_ resource: Resource, _ name: String, _ uid: String) -> StatusError {
        let cause = StatusError.Cause.invalid("metadata.uid", .string(uid), "field is immutable")
        return .invalid(resource, name, [cause, cause])
    }

    /// The version that the write is of; throws when it is of another object or an earlier version.
    private static func expectedVersion(of wanted: JSON, old: JSON, _ resource: Resource) throws -> String? {
        let name = old["metadata"]["name"].string ?? "", held = old["metadata"]["uid"].string ?? ""
        if let uid = wanted["metadata"]["uid"].string, uid != held {
            throw StatusError(
                409, .conflict,
                """
                Operation cannot be fulfilled on \(resource) "\(name)": StorageError: invalid object, Code: 4, Key: \
                \(resource.storageKey(of: old)), ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
                UID in precondition: \(uid), UID in object meta: \(held)
                """,
                details: StatusError.details(resource, name))
        }
        let version = old["metadata"]["resourceVersion"].string
        if let expected = wanted["metadata"]["resourceVersion"].string, expected != version {
            guard UInt64(expected) != nil else {
                throw StatusError(500, .unstated, "strconv.ParseUint: parsing \(JSON.string(expected).text()): invalid syntax")
            }
            throw StatusError.conflict(resource, name)
        }
        return version
    }

    /// `wanted`, with what of the metadata no update changes as it is in `old`.
    private static func keepingIdentity(of old: JSON, in wanted: JSON) -> JSON {
        var object = wanted
        for field in [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace",
            "resourceVersion", "managedFields",
        ] { object["metadata"][field] = old["metadata"][field] }
        return object
    }

    // MARK: Patch

    package func patch(_ kind: KindDefinition, _ key: ObjectKey, _ patch: Patch, subresource: String?, _ options: WriteOptions) async throws
        -> Written
    {
        if case .apply(let config) = patch { return try await apply(kind, key, config, subresource: subresource, options) }
        let strategy = try Self.strategy(kind, subresource)
        var version: String?
        switch patch {
        case .merge(let body), .strategic(let body): version = body["metadata"]["resourceVersion"].string
        default: break
        }
        return try await retrying(version == nil) {
            guard let old = try await store.get(kind.resource, key) else { throw StatusError.notFound(kind.resource, key.name) }
            var patched: JSON
            switch patch {
            case .merge(let body): patched = old.merging(body)
            case .json(let operations): patched = try JSONPatch.apply(operations, to: old)
            case .strategic(let body): patched = try StrategicMergePatch.apply(body, to: old, kind.schema)
            case .apply: patched = old
            }
            guard let name = patched["metadata"]["name"].string, !name.isEmpty else { throw StatusError.nameless(key.name) }
            if let uid = patched["metadata"]["uid"].string, .string(uid) != old["metadata"]["uid"] {
                throw Self.otherUID(kind.resource, key.name, uid)
            }
            guard name == key.name else {
                throw StatusError.badRequest(
                    "the name of the object (\(patched["metadata"]["name"].string ?? "")) does not match the name on the URL (\(key.name))")
            }
            if let namespace = patched["metadata"]["namespace"].string, kind.resource.namespaced, namespace != key.namespace {
                throw StatusError.otherNamespace
            }
            if version == nil, patched["metadata"]["resourceVersion"].isNull {
                patched["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            }
            var written = Written(object: .null)
            let decoded: JSON
            do {
                decoded = try Self.decode(patched, kind, options, &written, ignoring: strategy.isIgnored)
            } catch let error as StatusError where !kind.isCustom && !written.isWellFormed {
                throw Self.malformed(patched, kind, error)
            }
            return try await replace(kind, decoded, old: old, subresource: subresource, options, written, managed: nil)
        }
    }

    /// What a patch made of an object, and the kind cannot read. (k8s.io/apiserver/pkg/endpoints/handlers, applyJSPatch)
    private static func malformed(_ patched: JSON, _ kind: KindDefinition, _ error: StatusError) -> StatusError {
        let prefix = "\(kind.resource.kind) in version \"\(kind.resource.version)\" cannot be handled as a \(kind.resource.kind): "
        let why = error.message.hasPrefix(prefix) ? String(error.message.dropFirst(prefix.count)) : error.message
        let text = JSON.string(shown(patched).text())
        return StatusError.invalid(Resource("", "", "", ""), "", [.invalid("patch", text, why)])
    }

    /// With its members, and those of its metadata, in the order in which upstream's decoder meets them.
    private static func shown(_ object: JSON) -> JSON {
        var members = JSONObject()
        for key in (object.object?.keys ?? []).sorted() { members[key] = object[key] }
        let order = [
            "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
            "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers", "managedFields",
        ]
        var metadata = JSONObject()
        for key in order where !object["metadata"][key].isNull { metadata[key] = object["metadata"][key] }
        for (key, value) in object["metadata"].object ?? JSONObject() where metadata[key] == nil { metadata[key] = value }
        members["metadata"] = .object(metadata)
        return .object(members)
    }
}
