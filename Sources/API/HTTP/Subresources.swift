import Model

/// The parts of objects that have paths of their own.
extension Router {
    func subresource(_ target: Target, _ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        let name = target.subresource ?? ""
        guard target.kind.subresources.contains(where: { $0.name == name }) else { throw StatusError.noSuchPath }
        switch (name, request.method) {
        case ("status", "GET"), ("ephemeralcontainers", "GET"), ("resize", "GET"), ("approval", "GET"):
            return try render(target.present(try await api.get(target.stored, target.key)), target, request)
        case ("status", "PUT"), ("ephemeralcontainers", "PUT"), ("resize", "PUT"), ("finalize", "PUT"):
            return try await update(target, request, user, subresource: name)
        case ("approval", "PUT"):
            try await mayApprove(target, user)
            return try await update(target, request, user, subresource: name)
        case ("approval", "PATCH"):
            try await mayApprove(target, user)
            return try await patch(target, request, user, subresource: name)
        case ("status", "PATCH"), ("ephemeralcontainers", "PATCH"), ("resize", "PATCH"):
            return try await patch(target, request, user, subresource: name)
        case ("scale", _): return try await scale(target, request)
        case ("log", "GET"): return try await log(target, request)
        case ("binding", "POST"): return try await bind(target, request)
        case ("eviction", "POST"): return try await evict(target, request)
        case ("token", "POST"): return try await token(target, request)
        case ("proxy", _): return try await proxy(target, request)
        case ("exec", _), ("attach", _), ("portforward", _):
            _ = try await wish(request)
            throw StatusError.badRequest("Upgrade request required")
        default: throw Router.methodNotAllowed
        }
    }

    /// Whoever approves has to be let to for the signer. (k8s.io/kubernetes/plugin/pkg/admission/certificates/approval)
    private func mayApprove(_ target: Target, _ user: UserInfo) async throws {
        let signer = try await api.get(target.stored, target.key)["spec"]["signerName"].string ?? ""
        var access = AccessRequest(verb: "approve")
        (access.group, access.resource) = (target.resource.group, "signers")
        for name in [signer, "\(signer.prefix { $0 != "/" })/*"] {
            access.name = name
            if try await authorizer.allows(user, access) { return }
        }
        throw StatusError(
            403, .forbidden,
            "\(target.resource) \"\(target.key.name)\" is forbidden: user not permitted to approve requests with signerName \"\(signer)\"",
            details: StatusError.details(target.resource, target.key.name))
    }

    // MARK: Scale

    private func scale(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let current = try await api.get(target.stored, target.key)
        let scale = target.kind.scale.scale(of: current)
        let schema = KindDefinition.withTypeMeta(.object(SchemaTable.type("autoscaling:Scale")))
        let wanted: JSON
        switch request.method {
        case "GET": return .json(scale)
        case "PUT": wanted = try await named(request, target, schema)
        case "PATCH":
            switch try await change(request, isCustom: false) {
            case .merge(let body), .apply(let body): wanted = scale.merging(body)
            case .json(let operations): wanted = try JSONPatch.apply(operations, to: scale)
            case .strategic(let body): wanted = try StrategicMergePatch.apply(body, to: scale, schema)
            }
        default: throw Router.methodNotAllowed
        }
        let replicas = wanted["spec"]["replicas"].int ?? 0
        guard replicas >= 0 else {
            throw StatusError.invalid(
                Resource("autoscaling", "v1", "scales", "Scale"), target.key.name,
                [.invalid("spec.replicas", .int(replicas), "must be greater than or equal to 0")])
        }
        let version = wanted["metadata"]["resourceVersion"]
        if !version.isNull, version != scale["metadata"]["resourceVersion"] { throw StatusError.conflict(target.resource, target.key.name) }
        var change = target.kind.scale.change(to: replicas)
        if request.method == "PUT", !version.isNull { change["metadata"]["resourceVersion"] = version }
        let written = try await api.patch(try storedKind(target), target.key, .merge(change), subresource: "scale", try options(request))
        return .json(target.kind.scale.scale(of: written.object))
    }

    // MARK: Pods and accounts

    private func log(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let pod = Pod(try await api.get(.pods, target.key))
        let container = try Router.container(request["container"], of: pod)
        for name in ["tailLines", "sinceSeconds", "limitBytes"] {
            if let text = request[name], (Int(text) ?? -1) < (name == "tailLines" ? 0 : 1) {
                throw StatusError.invalid(
                    Resource("", "v1", "", "PodLogOptions"), "",
                    [.invalid(name, .string(text), "must be greater than \(name == "tailLines" ? "or equal to " : "")0")])
            }
        }
        let options = LogOptions(
            follow: request.isTrue("follow"), previous: request.isTrue("previous"), timestamps: request.isTrue("timestamps"),
            tailLines: request["tailLines"].flatMap { Int($0) }, sinceSeconds: request["sinceSeconds"].flatMap { Int($0) },
            sinceTime: request["sinceTime"].flatMap { Timestamp($0) }, limitBytes: request["limitBytes"].flatMap { Int($0) })
        return .stream(contentType: "text/plain", patience: nil, try await nodes.services(of: pod).logs(pod, container: container, options))
    }

    private func bind(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let binding = try await RequestBody(request, threads).object(KindDefinition.withTypeMeta(.object(SchemaTable.type("core:Binding"))))
        if binding["metadata"]["name"].string != target.key.name {
            throw StatusError.badRequest("name in URL does not match name in Binding object")
        }
        var causes: [StatusError.Cause] = []
        if let kind = binding["target"]["kind"].string, !kind.isEmpty, kind != "Node" {
            causes.append(.notSupported("target.kind", .string(kind), "\"Node\", \"<empty>\""))
        }
        if binding["target"]["name"].string ?? "" == "" { causes.append(.required("target.name")) }
        guard causes.isEmpty else { throw StatusError.invalid(Resource("", "v1", "", "Binding"), target.key.name, causes) }
        try await api.bind(target.key, binding, try options(request))
        return .json(["kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Success", "code": 201], code: 201)
    }

    private func evict(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let eviction = try await RequestBody(request, threads).object(
            KindDefinition.withTypeMeta(.object(SchemaTable.type("policy:Eviction"))))
        if eviction["metadata"]["name"].string != target.key.name {
            throw StatusError.badRequest("name in URL does not match name in Eviction object")
        }
        var options = DeleteOptions()
        let wish = eviction["deleteOptions"]
        options.gracePeriod = wish["gracePeriodSeconds"].int
        options.uid = wish["preconditions"]["uid"].string
        options.resourceVersion = wish["preconditions"]["resourceVersion"].string
        options.isDryRun = wish["dryRun"].items.contains("All") || request["dryRun"] == "All"
        try await api.evict(target.key, options)
        return .json(["kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Success", "code": 201], code: 201)
    }

    private func token(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        guard let credentials = api.credentials else { throw StatusError(500, .internalError, "this server signs no tokens") }
        let account = try await api.get(.serviceAccounts, target.key)
        let schema = KindDefinition.withTypeMeta(.object(SchemaTable.type("authentication:TokenRequest")))
        var wish = try await RequestBody(request, threads).object(schema)
        let resource = Resource("authentication.k8s.io", "v1", "", "TokenRequest")
        var findings = SchemaFindings()
        _ = schema.decode(wish, &findings)
        if let first = findings.mistyped.first {
            throw StatusError.badRequest("TokenRequest in version \"v1\" cannot be handled as a TokenRequest: \(first)")
        }
        if let namespace = wish["metadata"]["namespace"].string, !namespace.isEmpty, namespace != target.key.namespace {
            throw StatusError.otherNamespace
        }
        if let name = wish["metadata"]["name"].string, !name.isEmpty, name != target.key.name {
            throw StatusError.invalid(
                resource, target.key.name, [.invalid("metadata.name", .string(name), "must match the service account name if specified")])
        }
        let seconds = wish["spec"]["expirationSeconds"].int ?? 3600
        let causes = PodValidation.tokenLifetime(seconds, "spec.expirationSeconds")
        if !causes.isEmpty {
            throw StatusError.invalid(resource, "", causes)
        }
        let bound = try await boundObject(wish["spec"]["boundObjectRef"], target.key.namespace)
        let audiences = wish["spec"]["audiences"].items.compactMap(\.string)
        let (token, expires) = try Authenticator.token(
            for: account, boundTo: bound, audiences: audiences, seconds: seconds, now: now(), by: credentials)
        wish["kind"] = "TokenRequest"
        wish["apiVersion"] = "authentication.k8s.io/v1"
        wish["metadata"] = [
            "name": account["metadata"]["name"], "namespace": account["metadata"]["namespace"], "uid": account["metadata"]["uid"],
            "creationTimestamp": .string(now().description),
        ]
        wish["spec"]["audiences"] = .array((audiences.isEmpty ? [authenticator.issuer] : audiences).map(JSON.string))
        wish["spec"]["expirationSeconds"] = .int(seconds)
        wish["status"] = ["token": .string(token), "expirationTimestamp": .string(expires.description)]
        return .json(wish, code: 201)
    }

    /// What a token goes with, if with anything: it has to be there, and to be the one that is meant.
    private func boundObject(_ reference: JSON, _ namespace: String) async throws -> TokenBinding? {
        guard !reference.isNull else { return nil }
        let kind = reference["kind"].string ?? "", name = reference["name"].string ?? "", version = reference["apiVersion"].string ?? ""
        let known: [String: Resource] = ["Pod": .pods, "Secret": .secrets, "Node": .nodes]
        guard version == "v1", let resource = known[kind] else {
            throw StatusError.badRequest(
                "cannot bind token to object of type \(version.contains("/") ? version : "/\(version)"), Kind=\(kind)")
        }
        let held = try await api.get(resource, ObjectKey(resource.namespaced ? namespace : "", name))
        let uid = held["metadata"]["uid"].string ?? ""
        if let wanted = reference["uid"].string, !wanted.isEmpty, wanted != uid {
            throw StatusError(
                409, .conflict,
                "Operation cannot be fulfilled on \(kind) \"\(name)\": the UID in the bound object reference (\(wanted)) does not match the UID in record. The object might have been deleted and then recreated",
                details: ["name": .string(name), "kind": .string(kind)])
        }
        let node = kind == "Pod" ? held["spec"]["nodeName"].string : nil
        return TokenBinding(kind: kind.lowercased(), name: name, uid: uid, node: node)
    }
}
