import Model

/// Creates, updates, patches and deletions.
extension Router {
    /// What a request's parameters say of how its write is meant.
    func options(_ request: HTTPRequest) throws -> WriteOptions {
        var options = WriteOptions()
        let resource = Self.optionsResource(request.method)
        options.isDryRun = try Router.isDryRun(request.values("dryRun"), resource)
        let agent = (request.header("User-Agent") ?? "").split(separator: "/").first.map(String.init) ?? ""
        options.fieldManager =
            request["fieldManager"].flatMap { $0.isEmpty ? nil : $0 } ?? (agent.isEmpty ? "unknown" : String(agent.prefix(128)))
        if let text = request["fieldValidation"], !text.isEmpty {
            guard let validation = WriteOptions.FieldValidation(rawValue: text) else {
                throw StatusError.invalid(
                    resource, "", [.notSupported("fieldValidation", .string(text), "\"\", \"Ignore\", \"Strict\", \"Warn\"")])
            }
            options.fieldValidation = validation
        } else {
            options.fieldValidation = .warn
        }
        options.force = request.isTrue("force")
        if request.method == "PATCH", request["force"] != nil, request.contentType != Self.applyType {
            throw StatusError.invalid(resource, "", [.forbidden("force", "may not be specified for non-apply patch")])
        }
        try Self.check(fieldManager: request["fieldManager"] ?? "", request.method)
        return options
    }

    private static let longestManager = 128

    /// (k8s.io/apimachinery/pkg/apis/meta/v1/validation, ValidateFieldManager)
    private static func check(fieldManager name: String, _ method: String) throws {
        var causes: [StatusError.Cause] = []
        if name.utf8.count > longestManager { causes.append(.tooLong("fieldManager", longestManager)) }
        for (place, scalar) in name.unicodeScalars.enumerated() where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
            causes.append(.invalid("fieldManager", .string(name), "invalid character U+\(padded) (at position \(place))"))
            break
        }
        guard !causes.isEmpty else { return }
        throw StatusError.invalid(optionsResource(method), "", causes)
    }

    /// What upstream calls the parameters of a request of that method.
    private static func optionsResource(_ method: String) -> Resource {
        let kinds = ["POST": "CreateOptions", "PUT": "UpdateOptions", "DELETE": "DeleteOptions"]
        return Resource("meta.k8s.io", "v1", "", kinds[method] ?? "PatchOptions")
    }

    static let applyType = "application/apply-patch+yaml"

    private static func isDryRun(_ values: [String], _ resource: Resource) throws -> Bool {
        for value in values where value != "All" {
            throw StatusError.invalid(resource, "", [.notSupported("dryRun", .array(values.map(JSON.string)), "\"All\"")])
        }
        return !values.isEmpty
    }

    func finish(_ written: Written, _ target: Target, _ request: HTTPRequest, code: Int = 200) throws -> HTTPResponse {
        try render(target.present(written.object), target, request, code: code).warning(written.warnings)
    }

    /// The kind under which a write is stored.
    func storedKind(_ target: Target) throws -> KindDefinition {
        target.kind.storage == nil ? target.kind : try api.definition(target.stored)
    }

    func create(_ target: Target, _ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        guard target.kind.verbs.contains("create") else { throw Router.methodNotAllowed }
        var (object, repeats) = try await RequestBody(request, threads).objectAndRepeats(target.kind.schema)
        for field in ["kind", "apiVersion"] where object[field] == "" { object[field] = .null }
        if object["kind"].isNull || object["apiVersion"].isNull, request.contentType != Representation.protobufType {
            // Typed clients may leave them out; what is there is checked.
            if object["kind"].isNull { object["kind"] = .string(target.resource.kind) }
            if object["apiVersion"].isNull { object["apiVersion"] = .string(target.resource.apiVersion) }
        }
        if target.resource.namespaced {
            guard let namespace = target.namespace else { throw Router.methodNotAllowed }
            if let own = object["metadata"]["namespace"].string, !own.isEmpty, own != namespace {
                throw StatusError.otherNamespace
            }
            Self.settle(&object, in: namespace)
        }
        var options = try options(request)
        options.repeats = repeats
        options.writtenVersion = target.kind.storage == nil ? "" : target.resource.apiVersion
        if let form = target.kind.storage {
            // Read strictly as what it came as, then stored as what it is.
            object = try converted(object, target, form, nil, &options)
        }
        guard Int(object["metadata"]["resourceVersion"].string ?? "") ?? 0 == 0 else {
            throw StatusError(500, .unstated, "resourceVersion should not be set on objects to be created")
        }
        target.kind.requested(&object, user)
        try await mayGrant(target, request, user) { _ in object }
        return try finish(try await api.create(try storedKind(target), object, options), target, request, code: 201)
    }

    /// The body of an update, which must be of the object that the path names.
    func named(_ request: HTTPRequest, _ target: Target, _ schema: Schema) async throws -> JSON {
        try await namedWithRepeats(request, target, schema).object
    }

    private func namedWithRepeats(_ request: HTTPRequest, _ target: Target, _ schema: Schema) async throws -> (
        object: JSON, repeats: [String]
    ) {
        var (object, repeats) = try await RequestBody(request, threads).objectAndRepeats(schema)
        guard let name = object["metadata"]["name"].string, !name.isEmpty else { throw StatusError.nameless(target.name ?? "") }
        guard name == target.name else {
            throw StatusError.badRequest(
                "the name of the object (\(object["metadata"]["name"].string ?? "")) does not match the name on the URL (\(target.name ?? ""))"
            )
        }
        if let namespace = target.namespace {
            if let own = object["metadata"]["namespace"].string, !own.isEmpty, own != namespace {
                throw StatusError.otherNamespace
            }
            Self.settle(&object, in: namespace)
        }
        return (object, repeats)
    }

    /// Puts an object into the namespace that its path names; what is no metadata or no name at all is told when it is read.
    private static func settle(_ object: inout JSON, in namespace: String) {
        let metadata = object["metadata"], own = metadata["namespace"]
        guard metadata.isNull || metadata.object != nil, own.isNull || own.string != nil else { return }
        object["metadata"]["namespace"] = .string(namespace)
    }

    func update(_ target: Target, _ request: HTTPRequest, _ user: UserInfo, subresource: String? = nil) async throws -> HTTPResponse {
        var (object, repeats) = try await namedWithRepeats(request, target, target.kind.schema)
        for field in ["kind", "apiVersion"] where object[field] == "" { object[field] = .null }
        var options = try options(request)
        options.repeats = repeats
        options.writtenVersion = target.kind.storage == nil ? "" : target.resource.apiVersion
        if let form = target.kind.storage {
            try target.kind.checkType(of: object)
            object = form.convertsShape ? try converted(object, target, form, subresource, &options) : form.stored(object)
        }
        try await mayGrant(target, request, user) { _ in object }
        let kind = try storedKind(target)
        if kind.allowsCreateOnUpdate { options.creationRefusal = try await creationRefusal(target, user) }
        let written = try await api.update(kind, object, subresource: subresource, options)
        return try finish(written, target, request, code: written.wasCreated ? 201 : 200)
    }

    func patch(_ target: Target, _ request: HTTPRequest, _ user: UserInfo, subresource: String? = nil) async throws -> HTTPResponse {
        let change = Self.stored(try await change(request, isCustom: target.kind.isCustom), target)
        var options = try options(request)
        if let form = target.kind.storage, form.convertsShape, !change.isApply {
            return try finish(try await patchConverted(target, form, change, subresource, options, request, user), target, request)
        }
        if case .apply = change {
            options.fieldManager = request["fieldManager"]
            options.creationRefusal = try await creationRefusal(target, user)
        }
        let refusal = options.creationRefusal
        try await mayGrant(target, request, user) { options in
            var options = options
            options.creationRefusal = refusal
            return try await api.patch(try storedKind(target), target.key, change, subresource: subresource, options).object
        }
        var words: [String] = []
        if case .json(let operations) = change { words = JSONPatch.unknownFields(operations) }
        if options.fieldValidation == .strict, !words.isEmpty {
            throw StatusError.badRequest("strict decoding error: \(words.joined(separator: ", "))")
        }
        let written = try await api.patch(try storedKind(target), target.key, change, subresource: subresource, options)
        return try finish(written, target, request, code: written.wasCreated ? 201 : 200)
            .warning(options.fieldValidation == .warn ? words : [])
    }

    /// A change as it is made to what is kept: under the version, and with the names, that objects are kept in.
    private static func stored(_ change: Patch, _ target: Target) -> Patch {
        guard let form = target.kind.storage else { return change }
        func renamed(_ body: JSON) -> JSON {
            var body = body
            if body["apiVersion"].string == target.resource.apiVersion { body["apiVersion"] = .string(form.resource.apiVersion) }
            return body
        }
        switch change {
        case .merge(let body): return .merge(renamed(body))
        case .strategic(let body): return .strategic(renamed(body))
        case .apply(let config): return .apply(renamed(form.store(config)))
        case .json: return change
        }
    }

    /// Why `user` may not create what an apply patch or an update names; nil: they may.
    private func creationRefusal(_ target: Target, _ user: UserInfo) async throws -> StatusError? {
        var access = AccessRequest(verb: "create")
        (access.group, access.resource) = (target.resource.group, target.resource.plural)
        (access.name, access.namespace) = (target.key.name, target.namespace ?? "")
        return try await authorizer.allows(user, access) ? nil : Authorizer.refusal(user, access)
    }

    /// Nobody gives away what they do not have themselves. (kubernetes.io/docs/reference/access-authn-authz/rbac,
    /// "Privilege escalation prevention and bootstrapping")
    func mayGrant(_ target: Target, _ request: HTTPRequest, _ user: UserInfo, _ outcome: (WriteOptions) async throws -> JSON)
        async throws
    {
        guard target.resource.group == "rbac.authorization.k8s.io", !user.groups.contains(UserInfo.masters) else { return }
        var dry = try options(request)
        dry.isDryRun = true
        let object = try await outcome(dry)
        let isBinding = [.roleBindings, .clusterRoleBindings].contains(target.resource)
        var access = AccessRequest(verb: isBinding ? "bind" : "escalate")
        access.group = target.resource.group
        access.namespace = target.namespace ?? ""
        access.resource = isBinding ? (object["roleRef"]["kind"].string == "Role" ? "roles" : "clusterroles") : target.resource.plural
        access.name = (isBinding ? object["roleRef"]["name"].string : object["metadata"]["name"].string) ?? ""
        if try await authorizer.allows(user, access) { return }
        if isBinding, try await authorizer.lacks(object["roleRef"], in: target.namespace ?? "") {
            throw StatusError.notFound(target.resource, object["roleRef"]["name"].string ?? "")
        }
        let wanted = isBinding ? try await authorizer.rules(of: object["roleRef"], in: target.namespace ?? "") : object["rules"].items
        let held = try await authorizer.rules(of: user, in: target.namespace ?? "")
        if !object["aggregationRule"].isNull, !Authorizer.covers(held, all: Authorizer.everything) {
            throw StatusError(
                403, .forbidden,
                "\(target.resource) \"\(object["metadata"]["name"].string ?? "")\" is forbidden: must have cluster-admin privileges to use the aggregationRule",
                details: StatusError.details(target.resource, object["metadata"]["name"].string ?? ""))
        }
        let missing = wanted.filter { !Authorizer.covers(held, all: $0) }
        guard !missing.isEmpty else { return }
        let name = object["metadata"]["name"].string ?? ""
        let list = missing.map { rule in
            let parts = [
                ("APIGroups", "apiGroups"), ("Resources", "resources"), ("NonResourceURLs", "nonResourceURLs"), ("Verbs", "verbs"),
            ]
            return "{"
                + parts.compactMap { title, field in rule[field].items.isEmpty ? nil : "\(title):\(rule[field].text())" }.joined(
                    separator: ", ") + "}"
        }
        throw StatusError(
            403, .forbidden,
            "\(target.resource) \"\(name)\" is forbidden: user \"\(user.name)\" (groups=\(JSON.array(user.groups.map(JSON.string)).text())) is attempting to grant RBAC permissions not currently held:\n\(list.joined(separator: "\n"))",
            details: StatusError.details(target.resource, name))
    }

    func change(_ request: HTTPRequest, isCustom: Bool) async throws -> Patch {
        let body = RequestBody(request, threads)
        switch request.contentType {
        case "application/json-patch+json": return .json(try await body.document())
        case "application/merge-patch+json": return .merge(try Self.members(try await body.document()))
        case "application/strategic-merge-patch+json" where !isCustom:
            return .strategic(try Self.members(try await body.document()))
        case "application/apply-patch+yaml": return .apply(try await body.yaml())
        default:
            throw StatusError(415, .unsupportedMediaType, "415: Unsupported Media Type", details: .emptyObject)
        }
    }

    /// A patch that is laid over an object is one itself.
    private static func members(_ patch: JSON) throws -> JSON {
        if patch.isNull { throw StatusError.badRequest("Invalid JSON Patch") }
        guard patch.object != nil else {
            throw StatusError.badRequest(
                "error decoding patch: json: cannot unmarshal \(patch.typeName) into Go value of type map[string]interface {}")
        }
        return patch
    }

    /// What a deletion's body, or else its parameters, ask for; `isChosen`: what becomes of dependents is among it.
    private func deletion(_ request: HTTPRequest, _ kind: KindDefinition) async throws -> (options: DeleteOptions, isChosen: Bool) {
        let schema = Schema.object(SchemaTable.type("meta:DeleteOptions")), resource = Self.optionsResource(request.method)
        let body = request.body.isEmpty ? JSON.null : try await RequestBody(request, threads).object(schema)
        var findings = SchemaFindings()
        _ = schema.decode(body, &findings)
        if let first = findings.mistyped.first { throw StatusError.badRequest(first) }
        var options = DeleteOptions()
        options.propagation = kind.deletion.propagation
        options.gracePeriod = body["gracePeriodSeconds"].int ?? request["gracePeriodSeconds"].flatMap { Int($0) }
        if let grace = options.gracePeriod, grace < 0 { options.gracePeriod = 1 }
        options.uid = body["preconditions"]["uid"].string
        options.resourceVersion = body["preconditions"]["resourceVersion"].string
        let policy = body["propagationPolicy"].string ?? request["propagationPolicy"] ?? ""
        let orphans = body["orphanDependents"].bool ?? (request["orphanDependents"] == nil ? nil : request.isTrue("orphanDependents"))
        if !policy.isEmpty {
            guard let propagation = DeleteOptions.Propagation(rawValue: policy) else {
                let known = "\"Foreground\", \"Background\", \"Orphan\", \"nil\""
                throw StatusError.invalid(resource, "", [.notSupported("propagationPolicy", .string(policy), known)])
            }
            guard orphans == nil else {
                throw StatusError.invalid(
                    resource, "",
                    [.invalid("propagationPolicy", .string(policy), "orphanDependents and deletionPropagation cannot be both set")])
            }
            options.propagation = propagation
        } else if let orphans {
            options.propagation = orphans ? .orphan : .background
        }
        options.isDryRun = try Router.isDryRun(
            body["dryRun"].items.compactMap(\.string) + request.values("dryRun"), resource)
        return (options, !policy.isEmpty || orphans != nil)
    }

    func delete(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let (options, isChosen) = try await deletion(request, target.kind)
        let words = isChosen ? [] : target.kind.deletion.warnings
        do { return try await delete(target, request, options).warning(words) } catch { return HTTPResponse.failure(error).warning(words) }
    }

    private func delete(_ target: Target, _ request: HTTPRequest, _ options: DeleteOptions) async throws -> HTTPResponse {
        var options = options
        if target.kind.deletion.isEmptiedFirst { options.gracePeriod = nil }
        let written = try await api.delete(try storedKind(target), target.key, options)
        if !written.isGone || target.kind.deletion.answersWithObject { return try finish(written, target, request) }
        return .json([
            "kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Success",
            "details": [
                "name": .string(target.key.name), "group": target.resource.group.isEmpty ? .null : .string(target.resource.group),
                "kind": .string(target.resource.plural), "uid": written.object["metadata"]["uid"],
            ],
        ])
    }

    func deleteCollection(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        guard target.kind.verbs.contains("deletecollection"), target.namespace != nil || !target.resource.namespaced else {
            throw Router.methodNotAllowed
        }
        let (options, isChosen) = try await deletion(request, target.kind)
        let (items, revision, token, remaining) = try await select(target, request)
        for item in items {
            do { _ = try await api.delete(try storedKind(target), APIServer.key(item, target.stored), options) } catch let error
                as StatusError
            { if error.reason != .notFound { throw error } }
        }
        // As they stood when they were chosen.
        return .json(
            target.list(
                items, ["resourceVersion": .string(String(revision)), "continue": JSON(token), "remainingItemCount": JSON(remaining)])
        ).warning(isChosen || items.isEmpty ? [] : target.kind.deletion.warnings)
    }
}
