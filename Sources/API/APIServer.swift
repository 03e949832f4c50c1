import Model
import Store

/// The API in this process: decodes, defaults, admits, validates and stores. Every other way in ends here.
package actor APIServer: Client {
    package nonisolated let store: ObjectStore
    package nonisolated let cluster: Cluster
    private let now: @Sendable () -> Timestamp
    private let newUID: @Sendable () -> String
    /// Whoever gives out addresses and ports must see what the one before gave.
    private let allocation = Turnstile()
    /// What Services hold; nil until the first of them is written.
    private var claims: ServiceClaims?

    package init(
        store: ObjectStore, cluster: Cluster, now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        newUID: @escaping @Sendable () -> String = APIServer.randomUID
    ) {
        self.store = store
        self.cluster = cluster
        self.now = now
        self.newUID = newUID
    }

    private nonisolated var context: ValidationContext {
        ValidationContext(nodePortRange: cluster.nodePortRange, serviceCIDR: cluster.serviceSubnet)
    }

    // MARK: Reading

    package nonisolated func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        guard let object = await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        return object
    }

    package nonisolated func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        let (items, revision) = await store.list(resource, namespace: namespace)
        guard let selector, !selector.requirements.isEmpty else { return (items, revision) }
        return (items.filter { selector.matches($0["metadata"]["labels"].stringMap) }, revision)
    }

    package nonisolated func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        try await store.watch(resource, namespace: namespace, from: revision)
    }

    // MARK: Writing

    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        let kind = try definition(resource)
        var object = try Self.decode(object, kind)
        if object["metadata"]["name"].isNull, let prefix = object["metadata"]["generateName"].string {
            object["metadata"]["name"] = .string(prefix + ShortHash.nameSuffix())
        }
        let name = object["metadata"]["name"].string ?? ""
        if resource.namespaced {
            let namespace = object["metadata"]["namespace"].string ?? "default"
            object["metadata"]["namespace"] = .string(namespace)
            guard let home = await store.get(.namespaces, ObjectKey("", namespace)) else { throw StatusError.notFound(.namespaces, namespace) }
            if home["status"]["phase"].string == "Terminating", resource != .events {
                throw StatusError(
                    403, "Forbidden",
                    "\(resource) \"\(name)\" is forbidden: unable to create new content in namespace \(namespace) because it is being terminated")
            }
        } else {
            object["metadata"]["namespace"] = .null
        }
        if await store.get(resource, ObjectKey(object["metadata"]["namespace"].string ?? "", name)) != nil {
            throw StatusError.alreadyExists(resource, name)
        }
        object["metadata"]["uid"] = .string(newUID())
        object["metadata"]["creationTimestamp"] = .string(now().description)
        if kind.hasStatus { object["metadata"]["generation"] = 1 }
        kind.prepare(&object)
        return try await admitting(kind) {
            try await admit(&object, old: nil, kind)
            try Self.validate(object, old: nil, kind, context)
            return stored(try await store.create(resource, Self.ordered(object, kind)), resource)
        }
    }

    /// Runs the part of a write that must not interleave with another of its kind.
    private func admitting<R>(_ kind: KindDefinition, _ write: () async throws -> R) async throws -> R {
        if kind.resource == .services { try await allocation.withTurn(write) } else { try await write() }
    }

    /// Again, when what was read has been changed before it was written: for writes that did not ask for a certain version.
    private func retrying<R>(_ isUnconditional: Bool, _ write: () async throws -> R) async throws -> R {
        // Each failure is somebody else's success, so there is an end to them.
        for _ in 0..<256 where isUnconditional {
            do { return try await write() } catch let error as StatusError {
                if error.reason != "Conflict" { throw error }
            }
        }
        return try await write()
    }

    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await retrying(object["metadata"]["resourceVersion"].isNull) { try await replace(resource, object) }
    }

    private func replace(_ resource: Resource, _ object: JSON) async throws -> JSON {
        let kind = try definition(resource)
        var object = try Self.decode(object, kind)
        let key = Self.key(object, resource)
        guard let old = await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        if let uid = object["metadata"]["uid"].string, uid != old["metadata"]["uid"].string {
            throw StatusError.conflict(resource, key.name)
        }
        let expected = object["metadata"]["resourceVersion"].string ?? old["metadata"]["resourceVersion"].string
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace"] {
            object["metadata"][field] = old["metadata"][field]
        }
        if kind.hasStatus { object["status"] = old["status"] }
        kind.prepare(&object)
        let stored = try await admitting(kind) {
            try await admit(&object, old: old, kind)
            try Self.validate(object, old: old, kind, context)
            if kind.hasStatus, object["spec"] != old["spec"] {
                object["metadata"]["generation"] = .int((old["metadata"]["generation"].int ?? 1) + 1)
            }
            return self.stored(try await store.update(resource, Self.ordered(object, kind), expected: expected), resource)
        }
        return try await finishDeletion(stored, resource)
    }

    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        let key = Self.key(object, resource)
        guard var current = await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        let expected = object["metadata"]["resourceVersion"].string ?? current["metadata"]["resourceVersion"].string
        current["status"] = object["status"]
        return try await store.update(resource, current, expected: expected)
    }

    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await retrying(patch["metadata"]["resourceVersion"].isNull) {
            guard let old = await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
            var object = old.merging(patch)
            object["metadata"]["resourceVersion"] =
                patch["metadata"]["resourceVersion"].isNull ? old["metadata"]["resourceVersion"] : patch["metadata"]["resourceVersion"]
            return try await replace(resource, object)
        }
    }

    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try await retrying(true) { try await remove(resource, key, gracePeriod: gracePeriod, uid: uid) }
    }

    private func remove(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        guard var object = await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        let version = object["metadata"]["resourceVersion"].string
        if let uid, object["metadata"]["uid"].string != uid {
            throw StatusError(
                409, "Conflict", "Precondition failed: UID in precondition: \(uid), UID in object meta: \(object["metadata"]["uid"].string ?? "")")
        }
        if resource == .namespaces {
            guard !["default", "kube-system", "kube-public", "kube-node-lease"].contains(key.name) else {
                throw StatusError(403, "Forbidden", "namespaces \"\(key.name)\" is forbidden: this namespace may not be deleted")
            }
            // The namespace controller empties it, then removes it for good with a grace period of zero.
            if gracePeriod != 0 {
                object["metadata"]["deletionTimestamp"] = .string(now().description)
                object["status"]["phase"] = "Terminating"
                _ = try await store.update(resource, object, expected: version)
                return
            }
        }
        let grace = gracePeriod ?? (resource == .pods ? object["spec"]["terminationGracePeriodSeconds"].int ?? 30 : 0)
        let mustWindUp =
            resource == .pods && !object["spec"]["nodeName"].isNull && grace > 0
            && !["Succeeded", "Failed"].contains(object["status"]["phase"].string)
        let hasFinalizers = !object["metadata"]["finalizers"].items.isEmpty
        guard mustWindUp || hasFinalizers else {
            try await store.delete(resource, key, expected: version)
            if resource == .services { claims?.set(key, nil) }
            return
        }
        let shortest = min(grace, object["metadata"]["deletionGracePeriodSeconds"].int ?? grace)
        if object["metadata"]["deletionTimestamp"].isNull || shortest != object["metadata"]["deletionGracePeriodSeconds"].int {
            object["metadata"]["deletionTimestamp"] = .string(Timestamp(seconds: now().seconds + shortest).description)
            object["metadata"]["deletionGracePeriodSeconds"] = .int(shortest)
            object["metadata"]["generation"] = .int((object["metadata"]["generation"].int ?? 1) + 1)
            _ = try await store.update(resource, object, expected: version)
        }
    }

    /// An object that waited for its last finalizer goes when that is gone.
    private func finishDeletion(_ object: JSON, _ resource: Resource) async throws -> JSON {
        if resource != .namespaces, resource != .pods || object["spec"]["nodeName"].isNull, !object["metadata"]["deletionTimestamp"].isNull,
            object["metadata"]["finalizers"].items.isEmpty
        {
            let key = Self.key(object, resource)
            if resource == .services { claims?.set(key, nil) }
            return try await store.delete(resource, key)
        }
        return object
    }

    // MARK: The steps of a write

    private nonisolated func definition(_ resource: Resource) throws -> KindDefinition {
        guard let kind = Registry.kind(of: resource) else { throw StatusError(404, "NotFound", "the server could not find the requested resource") }
        return kind
    }

    /// Decodes, defaults and validates an object as a write would, without storing it.
    package nonisolated static func check(_ object: JSON, cluster: Cluster) throws -> JSON {
        let apiVersion = object["apiVersion"].string ?? "", name = object["kind"].string ?? ""
        guard let kind = Registry.kind(apiVersion: apiVersion, kind: name) else {
            throw StatusError(400, "BadRequest", "no matches for kind \"\(name)\" in version \"\(apiVersion)\"")
        }
        var decoded = try decode(object, kind)
        kind.prepare(&decoded)
        try validate(decoded, old: nil, kind, ValidationContext(nodePortRange: cluster.nodePortRange, serviceCIDR: cluster.serviceSubnet))
        return decoded
    }

    /// Reads strictly: a field that the kind does not have is an error, as with `fieldValidation=Strict`.
    private nonisolated static func decode(_ object: JSON, _ kind: KindDefinition) throws -> JSON {
        var findings = SchemaFindings()
        let decoded = kind.schema.decode(object, &findings)
        let problems = findings.unknown.map { "unknown field \"\($0)\"" } + findings.mistyped
        guard problems.isEmpty else {
            let causes = findings.unknown.map { StatusError.Cause(reason: "FieldValueInvalid", message: "unknown field \"\($0)\"", field: $0) }
            throw StatusError(
                400, "BadRequest",
                "\(kind.resource.kind) in version \"\(kind.resource.version)\" cannot be handled as a \(kind.resource.kind): strict decoding error: \(problems.joined(separator: ", "))",
                causes: causes)
        }
        guard findings.causes.isEmpty else {
            throw StatusError.invalid(kind.resource, object["metadata"]["name"].string ?? "", findings.causes)
        }
        return decoded
    }

    private nonisolated static func validate(_ object: JSON, old: JSON?, _ kind: KindDefinition, _ context: ValidationContext) throws {
        let metadata = object["metadata"]
        let name = metadata["name"].string ?? ""
        var causes: [StatusError.Cause] = []
        if name.isEmpty {
            causes.append(.required("metadata.name", "name or generateName is required"))
        } else if kind.resource == .services || kind.resource == .namespaces {
            let isService = kind.resource == .services
            if name.utf8.count > 63 { causes.append(.invalid("metadata.name", .string(name), "must be no more than 63 bytes")) }
            if !Names.isLabel(name) || (isService && name.first?.isNumber == true) {
                causes.append(.invalid("metadata.name", .string(name), isService ? Names.dns1035Message : Names.labelMessage))
            }
        } else if !Names.isSubdomain(name) {
            causes.append(.invalid("metadata.name", .string(name), Names.subdomainMessage))
        }
        causes += Names.labels(metadata["labels"], "metadata.labels")
        causes += kind.validate(object, old, context)
        guard causes.isEmpty else { throw StatusError.invalid(kind.resource, name, causes) }
    }

    private func admit(_ object: inout JSON, old: JSON?, _ kind: KindDefinition) async throws {
        guard kind.resource == .services else { return }
        try ServiceAllocator(cluster: cluster, claims: await loadedClaims(), own: Self.key(object, .services)).allocate(&object, old: old)
    }

    private func loadedClaims() async -> ServiceClaims {
        if let claims { return claims }
        var loaded = ServiceClaims()
        for item in await store.list(.services).items { loaded.set(Self.key(item, .services), Service(item)) }
        claims = loaded
        return loaded
    }

    /// Keeps the claims in step with what has been stored.
    private func stored(_ object: JSON, _ resource: Resource) -> JSON {
        if resource == .services { claims?.set(Self.key(object, resource), Service(object)) }
        return object
    }

    private static func key(_ object: JSON, _ resource: Resource) -> ObjectKey {
        ObjectKey(resource.namespaced ? object["metadata"]["namespace"].string ?? "default" : "", object["metadata"]["name"].string ?? "")
    }

    /// The members in the order people know: apiVersion, kind, metadata, the rest.
    private static func ordered(_ object: JSON, _ kind: KindDefinition) -> JSON {
        var result: JSON = ["apiVersion": .string(kind.resource.apiVersion), "kind": .string(kind.resource.kind), "metadata": object["metadata"]]
        for (key, value) in object.object ?? JSONObject() where result[key].isNull { result[key] = value }
        return result
    }

    /// A random UUID (RFC 9562, version 4).
    package static func randomUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return [hex[0..<4], hex[4..<6], hex[6..<8], hex[8..<10], hex[10..<16]].map { $0.joined() }.joined(separator: "-")
    }
}

extension JSON {
    /// RFC 7386: members of `patch` replace ours, null removes, objects merge.
    package func merging(_ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var result = object.map(JSON.object) ?? .emptyObject
        for (key, value) in changes { result[key] = value.isNull ? .null : result[key].merging(value) }
        return result
    }
}
