import Model
import Store

/// What the paths of the API mean, and who may ask (kubernetes.io/docs/reference/using-api/api-concepts).
package struct Router: Responder {
    let api: APIServer
    let nodes: any NodeDirectory
    let now: @Sendable () -> Timestamp
    let authenticator: Authenticator
    let authorizer: Authorizer
    let watchLines = WatchLines()
    package let threads: RequestThreads
    /// What is no object's, asked before the objects are.
    private let parts: [any PathResponder]

    /// Gives back what is remembered for those who watch.
    package func forgetLines() { watchLines.forget() }

    /// `parts`: what answers beside the objects, the reviews and the metrics.
    package init(
        api: APIServer, nodes: any NodeDirectory, parts: [any PathResponder] = [], threads: RequestThreads = RequestThreads(),
        now: @escaping @Sendable () -> Timestamp = Timestamp.now
    ) {
        self.threads = threads
        self.api = api
        self.nodes = nodes
        self.now = now
        authenticator = Authenticator(store: api.store, credentials: api.credentials, now: now)
        authorizer = Authorizer(store: api.store)
        let reviews = Reviews(authenticator: authenticator, authorizer: authorizer, now: now)
        self.parts = parts + [ReviewsAPI(reviews: reviews, threads: threads), MetricsAPI(api: api, nodes: nodes, now: now)]
    }

    package func streams(close: @escaping @Sendable () -> Void) -> StreamServer? { StreamServer(router: self, close: close) }

    package func respond(_ request: HTTPRequest) async -> HTTPResponse {
        do { return await respond(request, as: try await admit(request)) } catch { return .failure(error) }
    }

    package func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        do { return try await route(request, user) } catch { return .failure(error) }
    }

    /// Who asks, if they may: without proof 401, without permission 403.
    package func admit(_ request: HTTPRequest) async throws -> UserInfo {
        guard var user = try await authenticator.user(of: request) else { throw StatusError(401, .unauthorized, "Unauthorized") }
        user = try await impersonated(by: user, request)
        if user.groups.contains(UserInfo.masters) { return user }
        let access = Router.access(request)
        guard try await authorizer.allows(user, access) else { throw Authorizer.refusal(user, access) }
        return user
    }

    /// `kubectl --as`: somebody else, for those who may.
    private func impersonated(by user: UserInfo, _ request: HTTPRequest) async throws -> UserInfo {
        guard let name = request.header("Impersonate-User") else { return user }
        var access = AccessRequest(verb: "impersonate")
        let parts = name.split(separator: ":").map(String.init)
        let isAccount = parts.count == 4 && name.hasPrefix("system:serviceaccount:")
        (access.resource, access.name, access.namespace) = isAccount ? ("serviceaccounts", parts[3], parts[2]) : ("users", name, "")
        guard try await authorizer.allows(user, access) else { throw Authorizer.refusal(user, access) }
        var groups = request.headerValues("Impersonate-Group")
        if isAccount, groups.isEmpty { groups = ["system:serviceaccounts", "system:serviceaccounts:\(parts[2])"] }
        for group in groups {
            var wish = AccessRequest(verb: "impersonate")
            (wish.resource, wish.name) = ("groups", group)
            guard try await authorizer.allows(user, wish) else { throw Authorizer.refusal(user, wish) }
        }
        if !groups.contains(UserInfo.authenticated), name != "system:anonymous" { groups.append(UserInfo.authenticated) }
        return UserInfo(name: name, groups: groups)
    }

    private static func access(_ request: HTTPRequest) -> AccessRequest {
        guard let place = Target.Place(request.path) else {
            var access = AccessRequest(verb: request.method.lowercased())
            access.path = request.rawPath
            return access
        }
        var access = AccessRequest(verb: Target.verb(request, place))
        access.group = place.group
        access.resource = place.plural
        access.subresource = place.subresource ?? ""
        access.name = place.name ?? ""
        access.namespace = place.namespace ?? ""
        // A namespace is in itself, as RBAC sees it.
        if place.plural == "namespaces", place.group.isEmpty { access.namespace = place.name ?? "" }
        return access
    }

    private func route(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        if let answer = try await documents(request) { return answer }
        for part in parts { if let answer = try await part.respond(request, user) { return answer } }
        if request.path.starts(with: ["apis", "autoscaling"]) {
            throw StatusError(404, .notFound, "minik has no HorizontalPodAutoscalers: nothing scales by itself; use kubectl scale")
        }
        guard let target = Target(request.path, api.catalog) else { throw StatusError.noSuchVersion(request.path) }
        guard let words = target.kind.deprecation else { return try await route(target, request, user) }
        do { return try await route(target, request, user).warning([words]) } catch { return HTTPResponse.failure(error).warning([words]) }
    }

    private func route(_ target: Target, _ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        switch (request.method, target.name, target.subresource) {
        case ("GET", nil, nil) where request.isTrue("watch"): return try await watch(target, request)
        case ("GET", nil, nil): return try await list(target, request)
        case ("POST", nil, nil): return try await create(target, request, user)
        case ("DELETE", nil, nil): return try await deleteCollection(target, request)
        case ("GET", .some, nil) where request.isTrue("watch"): return try await watch(target, request)
        case ("GET", .some, nil): return try render(target.present(try await api.get(target.stored, target.key)), target, request)
        case ("PUT", .some, nil): return try await update(target, request, user)
        case ("PATCH", .some, nil): return try await patch(target, request, user)
        case ("DELETE", .some, nil): return try await delete(target, request)
        case (_, .some, .some): return try await self.subresource(target, request, user)
        default: throw Router.methodNotAllowed
        }
    }

    static let methodNotAllowed = StatusError(405, .methodNotAllowed, "the server does not allow this method on the requested resource")

    /// An object as the client wants to see it: whole, as a table, or its metadata alone.
    func render(_ object: JSON, _ target: Target, _ request: HTTPRequest, code: Int = 200) throws -> HTTPResponse {
        switch try Representation(request.accept) {
        case .table(let version):
            return .json(
                Table.of(
                    [object], target.kind, revision: object["metadata"]["resourceVersion"].string ?? "", now: now(), version: version,
                    includes: request["includeObject"]), code: code)
        case .metadata: return .json(Table.partial(object), code: code)
        case .protobuf:
            guard !target.kind.isCustom, case .object(let type) = target.kind.schema else { return .json(object, code: code) }
            return .bytes(ProtobufEncoder.object(object, type), contentType: Representation.protobufType, code: code)
        case .yaml: return .bytes(Array(YAMLText.of(object).utf8), contentType: "application/yaml", code: code)
        case .json: return .json(object, code: code)
        }
    }

    /// The container that is meant: the named one, or the only one.
    static func container(_ name: String?, of pod: Pod) throws -> String {
        let ephemeral = pod.spec["ephemeralContainers"].items.compactMap { $0["name"].string }
        let names = (pod.containers + pod.initContainers).map(\.name) + ephemeral
        guard let name, !name.isEmpty else {
            if pod.containers.count == 1 { return pod.containers[0].name }
            let initial =
                pod.initContainers.isEmpty
                ? "" : " or one of the init containers: [\(pod.initContainers.map(\.name).joined(separator: " "))]"
            throw StatusError.badRequest(
                "a container name must be specified for pod \(pod.name), choose one of: [\(pod.containers.map(\.name).joined(separator: " "))]\(initial)"
            )
        }
        guard names.contains(name) else { throw StatusError.badRequest("container \(name) is not valid for pod \(pod.name)") }
        return name
    }
}
