import Model
import Store

extension APIServer {
    static let orphanFinalizer = "orphan", foregroundFinalizer = "foregroundDeletion"

    /// Marks for deletion, or deletes when nobody has to wind anything up.
    package func delete(_ kind: KindDefinition, _ key: ObjectKey, _ options: DeleteOptions) async throws -> Written {
        while true {
            do { return try await remove(kind, key, options) } catch let error as StatusError {
                // Somebody wrote between our reading and our deleting; each time that is progress of theirs.
                if !error.isRetryable || options.resourceVersion != nil { throw error }
            }
        }
    }

    private func remove(_ kind: KindDefinition, _ key: ObjectKey, _ options: DeleteOptions) async throws -> Written {
        let resource = kind.resource
        guard var object = try await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        let version = object["metadata"]["resourceVersion"].string
        if let uid = options.uid, object["metadata"]["uid"].string != uid {
            let found = object["metadata"]["uid"].string ?? ""
            throw Self.failedPrecondition(resource, key, "UID", uid, found, "have been deleted and then recreated")
        }
        if let wanted = options.resourceVersion, wanted != version {
            throw Self.failedPrecondition(resource, key, "ResourceVersion", wanted, version ?? "", "have been modified")
        }
        guard !kind.deletion.lasting.contains(key.name) else {
            throw StatusError(
                403, .forbidden, "\(resource) \"\(key.name)\" is forbidden: this \(kind.singular) may not be deleted",
                details: StatusError.details(resource, key.name))
        }
        if kind.deletion.isEmptiedFirst, options.gracePeriod != 0 || object["metadata"]["deletionTimestamp"].isNull {
            guard object["metadata"]["deletionTimestamp"].isNull else { return Written(object: object) }
            object["metadata"]["deletionTimestamp"] = .string(now().description)
            object["status"]["phase"] = "Terminating"
            if options.isDryRun { return Written(object: object) }
            return Written(object: try await store.update(resource, object, expected: version))
        }
        let grace = kind.deletion.gracePeriod(object, options.gracePeriod)
        let finalizers = Self.finalizers(of: object, kind, options)
        guard grace > 0 || !finalizers.isEmpty || kind.deletion.isGraceful else {
            if !options.isDryRun { try await take(key, version, kind) }
            return Written(object: object, isGone: true)
        }
        let isMarked = !object["metadata"]["deletionTimestamp"].isNull
        let shortest = min(grace, object["metadata"]["deletionGracePeriodSeconds"].int ?? grace)
        if !isMarked || shortest != object["metadata"]["deletionGracePeriodSeconds"].int {
            object["metadata"]["deletionTimestamp"] = .string(Timestamp(seconds: now().seconds + Timestamp.bounded(shortest)).description)
            object["metadata"]["deletionGracePeriodSeconds"] = .int(shortest)
            if !finalizers.isEmpty { object["metadata"]["finalizers"] = .array(finalizers) }
            if kind.hasGeneration, !isMarked { object["metadata"]["generation"] = .int((object["metadata"]["generation"].int ?? 1) + 1) }
            if !options.isDryRun { object = try await store.update(resource, object, expected: version) }
        }
        guard shortest == 0, finalizers.isEmpty else { return Written(object: object) }
        if !options.isDryRun { try await takeMarked(object, kind) }
        return Written(object: object, isGone: true)
    }

    /// Takes what has been told to go at once. Whoever heard of that and was quicker has done the same.
    private func takeMarked(_ object: JSON, _ kind: KindDefinition) async throws {
        let key = ObjectKey(of: object)
        var version = object["metadata"]["resourceVersion"].string
        while true {
            do { return try await take(key, version, kind) } catch let error as StatusError {
                if error.reason == .notFound { return }
                guard error.isRetryable else { throw error }
                guard let newer = try await store.get(kind.resource, key), newer["metadata"]["uid"] == object["metadata"]["uid"] else {
                    return
                }
                version = newer["metadata"]["resourceVersion"].string
            }
        }
    }

    /// Whom an object waits for once it has been told to go: whoever asked before, and at its first deletion whom that names.
    private static func finalizers(of object: JSON, _ kind: KindDefinition, _ options: DeleteOptions) -> [JSON] {
        var finalizers = object["metadata"]["finalizers"].items
        guard object["metadata"]["deletionTimestamp"].isNull else { return finalizers }
        let dependents: JSON? =
            switch options.propagation {
            // The garbage collector passes events over: nobody would take the finalizer away.
            case _ where kind.resource == .events: nil
            case .orphan: .string(orphanFinalizer)
            case .foreground: .string(foregroundFinalizer)
            case .background: nil
            }
        for finalizer in [dependents, kind.deletion.finalizer(object)].compactMap(\.self) where !finalizers.contains(finalizer) {
            finalizers.append(finalizer)
        }
        return finalizers
    }

    private static func failedPrecondition(
        _ resource: Resource, _ key: ObjectKey, _ what: String, _ wanted: String, _ found: String, _ guess: String
    ) -> StatusError {
        // Here, and here only, the kind stands for the resource.
        let kind = Resource(resource.group, resource.version, resource.kind, resource.kind)
        return StatusError(
            409, .conflict,
            "Operation cannot be fulfilled on \(kind) \"\(key.name)\": the \(what) in the precondition (\(wanted)) does not match the \(what) in record (\(found)). The object might \(guess)",
            details: StatusError.details(kind, key.name))
    }

    /// Takes an object out of the store, and then frees what it held: free before, it would be another's while this one still stands.
    /// In turn, so that a new object of the same name does not lose what it has just been given.
    private func take(_ key: ObjectKey, _ version: String?, _ kind: KindDefinition) async throws {
        try await admitting(kind) { try await finish(key, version, kind) }
    }

    func finish(_ key: ObjectKey, _ version: String?, _ kind: KindDefinition) async throws {
        _ = try await store.delete(kind.resource, key, expected: version)
        kind.hooks.removed(key, self)
    }

    /// Whether a write that makes `object` of `old` takes the last finalizer from one that only waited for that: it goes then, and is
    /// not written. (upstream: ShouldDeleteDuringUpdate)
    static func isLast(_ object: JSON, old: JSON, _ kind: KindDefinition) -> Bool {
        !kind.deletion.isEmptiedFirst && !old["metadata"]["deletionTimestamp"].isNull
            && (old["metadata"]["deletionGracePeriodSeconds"].int ?? 0) == 0 && object["metadata"]["finalizers"].items.isEmpty
    }

    // MARK: Custom kinds

    /// Serves a CustomResourceDefinition's kinds, and says so in its status.
    func establish(_ definition: JSON) async throws {
        catalog.set(definition)
        let kind = try self.definition(.customResourceDefinitions)
        try await retrying(true) {
            guard let current = try await store.get(.customResourceDefinitions, ObjectKey(of: definition)) else { return }
            let established = Self.established(current, now: now())
            if established == current { return }
            _ = try await update(kind, established, subresource: "status", WriteOptions())
        }
    }

    /// A definition with the status of one that is served.
    private static func established(_ definition: JSON, now time: Timestamp) -> JSON {
        var current = definition
        var conditions = current["status"]["conditions"]
        conditions.setCondition("NamesAccepted", true, reason: "NoConflicts", message: "no conflicts found", now: time)
        conditions.setCondition(
            "Established", true, reason: "InitialNamesAccepted", message: "the initial names have been accepted", now: time)
        let stored = current["spec"]["versions"].items.first { $0["storage"].bool == true }?["name"] ?? .null
        var versions = current["status"]["storedVersions"].items
        if !versions.contains(stored) { versions.append(stored) }
        current["status"] = ["conditions": conditions, "acceptedNames": current["spec"]["names"], "storedVersions": .array(versions)]
        return current
    }
}
