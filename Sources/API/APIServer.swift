import Model
import Store

/// The API in this process: decodes, defaults, admits, validates and stores. Every other way in ends here.
package actor APIServer: Client {
    package nonisolated let store: ObjectStore
    package nonisolated let cluster: Cluster
    package nonisolated let catalog: KindCatalog
    package nonisolated let credentials: (any Credentials)?
    nonisolated let now: @Sendable () -> Timestamp
    private let newUID: @Sendable () -> String
    private let nameSuffix: @Sendable () -> String
    /// Whoever gives out addresses, ports or a share of a quota must see what the one before gave.
    private let allocation = Turnstile()
    /// What Services hold; nil until the first of them is written.
    private var claims: ServiceClaims?

    package init(
        store: ObjectStore, cluster: Cluster, credentials: (any Credentials)? = nil,
        now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        newUID: @escaping @Sendable () -> String = UID.random, nameSuffix: @escaping @Sendable () -> String = ShortHash.nameSuffix
    ) {
        self.store = store
        self.cluster = cluster
        catalog = KindCatalog(cluster.kubernetesVersion)
        self.credentials = credentials
        self.now = now
        self.newUID = newUID
        self.nameSuffix = nameSuffix
    }

    /// Takes in the kinds that the store's CustomResourceDefinitions define.
    package func loadCustomKinds() async throws {
        for definition in try await store.list(.customResourceDefinitions).items { catalog.set(definition) }
    }

    nonisolated func context(_ options: WriteOptions) -> ValidationContext {
        ValidationContext(
            nodePortRange: cluster.nodePortRange, serviceCIDRs: cluster.networks.map(\.services), isOwnPart: options.fieldManager == nil,
            writtenVersion: options.writtenVersion)
    }

    // MARK: Reading

    package nonisolated func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        guard let object = try await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        return object
    }

    package nonisolated func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (
        items: [JSON], revision: Int
    ) {
        let (items, revision) = try await store.list(resource, namespace: namespace)
        guard let selector, !selector.requirements.isEmpty else { return (items, revision) }
        return (items.filter { selector.matches($0["metadata"]["labels"].stringMap) }, revision)
    }

    package nonisolated func latest(_ resource: Resource) async throws -> Int { await store.latest(resource) }

    package nonisolated func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
        WatchEvent, any Error
    > {
        var events = try await store.watch(resource, namespace: namespace, from: revision).makeAsyncIterator()
        return AsyncThrowingStream { try await events.next()?.event }
    }

    // MARK: Client

    package func create(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await create(try definition(resource), object, WriteOptions()).object
    }

    package func update(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try await update(try definition(resource), object, subresource: nil, WriteOptions()).object
    }

    package func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        let kind = try definition(resource), key = Self.key(object, resource)
        guard var wanted = try await store.get(resource, key) else { throw StatusError.notFound(resource, key.name) }
        wanted["status"] = object["status"]
        if !object["metadata"]["resourceVersion"].isNull { wanted["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"] }
        return try await update(kind, wanted, subresource: "status", WriteOptions()).object
    }

    package func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
        try await self.patch(try definition(resource), key, .merge(patch), subresource: nil, WriteOptions()).object
    }

    package func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        var options = DeleteOptions()
        (options.gracePeriod, options.uid) = (gracePeriod, uid)
        _ = try await delete(try definition(resource), key, options)
    }

    // MARK: Create

    package func create(_ kind: KindDefinition, _ object: JSON, _ options: WriteOptions) async throws -> Written {
        try await create(kind, object, options, managed: nil)
    }

    /// `managed` is what a server-side apply made of the fields' owners.
    func create(_ kind: KindDefinition, _ object: JSON, _ options: WriteOptions, managed: JSON?) async throws -> Written {
        var written = Written(object: .null, wasCreated: true)
        written.warnings = options.warnings
        let object = try Self.decode(object, kind, options, &written) {
            !kind.keepsStatusOnCreate && WriteStrategy.object.isIgnored($0)
        }
        guard let base = object["metadata"]["generateName"].string else {
            do { return try await add(object, kind, options, written, managed) } catch let error as StatusError {
                throw error.warning(written.warnings)
            }
        }
        let isNameless = object["metadata"]["name"].isNull
        var attempts = isNameless ? NameRule.attempts : 1
        while true {
            var named = object
            if isNameless { named["metadata"]["name"] = .string(NameRule.generated(base, nameSuffix())) }
            attempts -= 1
            do { return try await add(named, kind, options, written, managed) } catch let error as StatusError {
                guard error.reason == .alreadyExists else { throw error.warning(written.warnings) }
                if attempts == 0 { throw StatusError.nameTaken(kind.resource, named.metadata.name) }
            }
        }
    }

    /// Puts an object that has been decoded, and has its name, into the store.
    private func add(_ decoded: JSON, _ kind: KindDefinition, _ options: WriteOptions, _ soFar: Written, _ managed: JSON?) async throws
        -> Written
    {
        let resource = kind.resource
        var written = soFar, object = decoded
        let name = object["metadata"]["name"].string ?? ""
        try await settle(&object, name, kind)
        let version = object["metadata"]["resourceVersion"]
        for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"] {
            object["metadata"][field] = .null
        }
        object["metadata"]["uid"] = .string(newUID())
        object["metadata"]["creationTimestamp"] = .string(now().description)
        if kind.hasGeneration { object["metadata"]["generation"] = 1 }
        if kind.hasStatus, !kind.keepsStatusOnCreate { object["status"] = kind.schema.defaultOfMember("status") }
        kind.prepare(&object)
        // What the server fills in from here on is nobody's.
        let managed = managed ?? managers(of: object, old: .emptyObject, kind, subresource: nil, options)
        kind.generate(&object)
        if options.fieldManager != nil {
            kind.mark(&object)
            written.warnings += kind.warn(object)
        }
        written.object = try await admitting(kind) {
            try await admit(&object, old: nil, kind)
            try Self.validate(object, kind, context(options), found: written.found)
            written.warnings += try await kind.hooks.review(object, nil, self)
            object["metadata"]["managedFields"] = managed
            var ordered = Self.ordered(object, kind)
            if options.isDryRun {
                // No store gives it another.
                ordered["metadata"]["resourceVersion"] = version
                guard try await store.get(resource, ObjectKey(of: ordered)) == nil else { throw StatusError.alreadyExists(resource, name) }
                return ordered
            }
            let result = try await created(resource, ordered)
            kind.hooks.stored(result, self)
            return result
        }
        if !options.isDryRun { try await kind.hooks.afterCreate(written.object, self) }
        return written
    }

    /// Stores a new object; of one in whose place another still waits to go, the refusal says so.
    private func created(_ resource: Resource, _ object: JSON) async throws -> JSON {
        do { return try await store.create(resource, object) } catch let error as StatusError where error.reason == .alreadyExists {
            let held = try await store.get(resource, ObjectKey(of: object))
            guard let held, !held["metadata"]["deletionTimestamp"].isNull else { throw error }
            throw StatusError(409, .alreadyExists, "object is being deleted: \(error.message)", details: error.details)
        }
    }

    // MARK: The steps of a write

    /// Runs the part of a write that must not interleave with another of its kind.
    func admitting<R>(_ kind: KindDefinition, _ write: () async throws -> R) async throws -> R {
        if kind.hooks.admitsInTurn { return try await allocation.withTurn(write) }
        // A quota's share is given out one at a time; without quotas nobody waits.
        if kind.resource.namespaced, hasQuotas { return try await allocation.withTurn(write) }
        return try await write()
    }

    /// Whether there has been a ResourceQuota since this server began.
    private var hasQuotas = false
    package func noteQuotas() async throws { hasQuotas = try await !store.list(.resourceQuotas).items.isEmpty }
    func noteQuota() { hasQuotas = true }

    /// Again, when what was read has been changed before it was written: for writes that did not ask for a certain version.
    func retrying<R>(_ isUnconditional: Bool, _ write: () async throws -> R) async throws -> R {
        // Each failure is somebody else's success, so there is an end to them.
        for _ in 0..<256 where isUnconditional {
            do { return try await write() } catch let error as StatusError { if !error.isRetryable { throw error } }
        }
        return try await write()
    }

    package nonisolated func definition(_ resource: Resource) throws -> KindDefinition {
        guard let kind = catalog.kind(of: resource) else { throw StatusError.noSuchPath }
        return kind
    }

    /// Decodes, defaults and validates an object as a write would, without storing it.
    package nonisolated static func check(_ object: JSON, cluster: Cluster) throws -> JSON {
        let apiVersion = object["apiVersion"].string ?? "", name = object["kind"].string ?? ""
        guard let kind = Registry.kind(apiVersion: apiVersion, kind: name) else {
            throw StatusError(400, .badRequest, "no matches for kind \"\(name)\" in version \"\(apiVersion)\"")
        }
        var read = Written()
        var decoded = try decode(object, kind, WriteOptions(), &read)
        kind.prepare(&decoded)
        let context = ValidationContext(nodePortRange: cluster.nodePortRange, serviceCIDRs: cluster.networks.map(\.services))
        try validate(decoded, kind, context, found: read.found)
        return decoded
    }

    /// Reads an object of a kind; of `isIgnored` fields the values do not count. Fields that the kind does not have are an error, a warning
    /// or nothing, as was asked.
    nonisolated static func decode(
        _ object: JSON, _ kind: KindDefinition, _ options: WriteOptions, _ read: inout Written, fillsDefaults: Bool = true,
        ignoring isIgnored: (String) -> Bool = { _ in false }
    ) throws -> JSON {
        let resource = kind.resource
        read.isWellFormed = false
        try kind.checkType(of: object)
        var findings = SchemaFindings()
        read.isWellFormed = true
        findings.fillsDefaults = fillsDefaults
        findings.leavesTypes = kind.isCustom
        let decoded = kind.schema.decode(object, &findings)
        let unknown = findings.unknown.map { "unknown field \"\($0)\"" } + options.repeats
        let who = "\(resource.kind) in version \"\(resource.version)\" cannot be handled as a \(resource.kind)"
        if let first = findings.mistyped.first {
            read.isWellFormed = false
            throw StatusError.badRequest("\(who): \(first)")
        }
        if !unknown.isEmpty {
            switch options.fieldValidation {
            case .strict:
                // Those of YAML have lines.
                let isYAML = options.repeats.first?.hasPrefix("line ") ?? false
                let list = isYAML ? "yaml: unmarshal errors:\n  \(unknown.joined(separator: "\n  "))" : unknown.joined(separator: ", ")
                let complaint = "strict decoding error: \(list)"
                throw StatusError.badRequest(kind.isCustom ? complaint : "\(who): \(complaint)")
            case .warn: read.warnings += unknown
            case .ignore: break
            }
        }
        if fillsDefaults { read.found = findings.causes.filter { !isIgnored($0.field) } }
        return decoded
    }

    /// Of a new object.
    nonisolated static func validate(
        _ object: JSON, _ kind: KindDefinition, _ context: ValidationContext, found: [StatusError.Cause] = []
    ) throws {
        try refuse(joining(found, ObjectRules.validate(object, kind) + kind.validate(object, nil, context)), object, kind)
    }

    /// What the kind's rules say, and of what was found by reading that of which they say nothing: neither of the field nor of what it is
    /// a part of.
    nonisolated static func joining(_ found: [StatusError.Cause], _ causes: [StatusError.Cause]) -> [StatusError.Cause] {
        guard !found.isEmpty, !causes.isEmpty else { return found + causes }
        let known = Set(causes.map(\.field))
        return causes
            + found.filter { cause in
                if known.contains(cause.field) || known.contains(withoutPlace(cause.field)) { return false }
                guard let dot = cause.field.lastIndex(of: ".") else { return true }
                let whole = cause.field[..<dot]
                if known.contains(String(whole)) { return false }
                guard whole.last == "]", let bracket = whole.lastIndex(of: "[") else { return true }
                return !known.contains(String(whole[..<bracket]))
            }
    }

    /// `a.b[0].c` as `a.b.c`: some of Kubernetes' rules name a list's elements without their places.
    private nonisolated static func withoutPlace(_ field: String) -> String {
        guard let open = field.lastIndex(of: "["), let close = field[open...].firstIndex(of: "]") else { return field }
        return String(field[..<open] + field[field.index(after: close)...])
    }

    nonisolated static func refuse(_ causes: [StatusError.Cause], _ object: JSON, _ kind: KindDefinition) throws {
        if causes.isEmpty { return }
        var causes = causes
        if kind.hasRules, causes.contains(where: { blocking.contains($0.reason) }) { causes.append(uncheckedRules) }
        throw StatusError.invalid(kind.resource, object["metadata"]["name"].string ?? "", causes)
    }

    /// Of such causes an object's rules are not looked at. (upstream: hasBlockingErr)
    private static let blocking: Set<String> = [
        "FieldValueRequired", "FieldValueNotSupported", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid",
    ]
    private static let uncheckedRules = StatusError.Cause.invalid(
        "<nil>", .null,
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation")

    func admit(_ object: inout JSON, old: JSON?, _ kind: KindDefinition) async throws {
        try await kind.hooks.admit(&object, old, self)
        guard hasQuotas, kind.resource.namespaced else { return }
        try await QuotaAdmission(store: store, resources: catalog.kinds.map(\.resource)).admit(object, old: old, kind.resource)
    }

    /// metadata.managedFields after a client's write, which made `object` of `old`.
    func managers(
        of object: JSON, old: JSON, _ kind: KindDefinition, subresource: String?, _ options: WriteOptions, forgets: Bool = false
    ) -> JSON {
        guard let manager = options.fieldManager else { return old["metadata"]["managedFields"] }
        if forgets { return .null }
        var managed = ManagedFields(old["metadata"])
        managed.update(
            ManagedFields.Entry(
                manager: manager, operation: "Update", apiVersion: kind.resource.apiVersion, subresource: subresource ?? "",
                time: now().description),
            old: old, new: object, kind.schema, ignored: kind.strategy(subresource)?.unowned(kind) ?? FieldSet())
        return managed.json
    }

    func loadedClaims() async throws -> ServiceClaims {
        if let claims { return claims }
        var loaded = ServiceClaims()
        for item in try await store.list(.services).items { loaded.set(Self.key(item, .services), Service(item)) }
        claims = loaded
        return loaded
    }

    /// Notes what a Service holds; nil: it is gone.
    func claim(_ key: ObjectKey, _ service: Service?) { claims?.set(key, service) }

    static func key(_ object: JSON, _ resource: Resource) -> ObjectKey {
        ObjectKey(resource.namespaced ? object["metadata"]["namespace"].string ?? "default" : "", object["metadata"]["name"].string ?? "")
    }

    /// The members in the order people know: apiVersion, kind, metadata, the rest.
    static func ordered(_ object: JSON, _ kind: KindDefinition) -> JSON {
        let first: [JSONObject.Member] = [
            ("apiVersion", .string(kind.resource.apiVersion)), ("kind", .string(kind.resource.kind)), ("metadata", object["metadata"]),
        ]
        let rest = (object.object ?? JSONObject()).filter { member in !first.contains { $0.key == member.key } }
        return .object(JSONObject(uniqueMembers: first + rest))
    }
}
