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
        api: APIServer, nodes: any NodeDirectory, parts: [any PathResponder] = [], admitsBootstrapTokens: Bool = false,
        threads: RequestThreads = RequestThreads(),
        now: @escaping @Sendable () -> Timestamp = Timestamp.now
    ) {
        self.threads = threads
        self.api = api
        self.nodes = nodes
        self.now = now
        authenticator = Authenticator(
            store: api.store, credentials: api.credentials, now: now, admitsBootstrapTokens: admitsBootstrapTokens)
        authorizer = Authorizer(store: api.store)
        let reviews = Reviews(authenticator: authenticator, authorizer: authorizer, now: now)
        self.parts = parts + [ReviewsAPI(reviews: reviews, threads: threads), MetricsAPI(api: api, nodes: nodes, now: now)]
    }

    package func streams(close: @escaping @Sendable () -> Void) -> StreamServer? { StreamServer(router: self, close: close) }

    package func respond(_ request: HTTPRequest) async -> HTTPResponse {
        do { return await respond(request, as: try await admit(request)) } catch { return shown(.failure(error), request) }
    }

    package func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse {
        do { return shown(try await route(request, user), request) } catch { return shown(.failure(error), request) }
    }

    private func shown(_ answer: HTTPResponse, _ request: HTTPRequest) -> HTTPResponse {
        Representation.wantsYAML(request.accept) ? answer.asYAML : answer
    }

    /// Who asks, if they may: with a wrong proof 401, without permission 403.
    package func admit(_ request: HTTPRequest) async throws -> UserInfo {
        let user = try await authorizer.impersonated(by: try await authenticator.user(of: request), request)
        if user.groups.contains(UserInfo.masters) { return user }
        for access in AccessRequest.all(of: request) {
            guard try await authorizer.allows(user, access) else { throw Authorizer.refusal(user, access) }
        }
        return user
    }

    private func route(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        // Between two slashes is nothing that a path of the API could name; what follows `proxy` is another server's.
        if let gap = request.rawPath.firstRange(of: "//"), !request.rawPath[..<gap.lowerBound].contains("/proxy") {
            return try nothing(at: gap.lowerBound == request.rawPath.startIndex ? [] : request.path)
        }
        if let answer = try await documents(request) { return answer }
        for part in parts { if let answer = try await part.respond(request, user) { return answer } }
        if request.path.starts(with: ["apis", "autoscaling"]) {
            throw StatusError(404, .notFound, "minik has no HorizontalPodAutoscalers: nothing scales by itself; use kubectl scale")
        }
        guard let target = Target(request.path, api.catalog) else { return try nothing(at: request.path) }
        // What is no part of the kind is not there for anybody, whatever they accept.
        if let part = target.subresource, !target.kind.subresources.contains(where: { $0.name == part }) { throw StatusError.noSuchPath }
        guard let words = target.kind.deprecation else { return try await route(target, request, user) }
        do { return try await route(target, request, user).warning([words]) } catch { return HTTPResponse.failure(error).warning([words]) }
    }

    private func route(_ target: Target, _ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse {
        let isStream = ["exec", "attach", "portforward", "proxy", "log"].contains(target.subresource)
        if !isStream { try Representation.check(request.accept, isList: target.name == nil && request.method == "GET") }
        switch (request.method, target.name, target.subresource) {
        case ("GET", _, nil) where target.isWatch: return try await watch(target, request)
        case (_, _, _) where target.isWatch: throw Router.methodNotAllowed
        case ("GET", nil, nil) where request.isTrue("watch"): return try await watch(target, request)
        case ("GET", nil, nil): return try await list(target, request)
        case ("POST", nil, nil): return try await create(target, request, user)
        case ("DELETE", nil, nil): return try await deleteCollection(target, request)
        case ("GET", .some, nil):
            _ = try Representation(request.accept)
            try ListParameters.checkVersion(request["resourceVersion"] ?? "")
            return try render(target.present(try await api.get(target.stored, target.key)), target, request)
        case ("PUT", .some, nil): return try await update(target, request, user)
        case ("PATCH", .some, nil): return try await patch(target, request, user)
        case ("DELETE", .some, nil): return try await delete(target, request)
        case (_, .some, .some): return try await self.subresource(target, request, user)
        default: throw Router.methodNotAllowed
        }
    }

    static let methodNotAllowed = StatusError(
        405, .methodNotAllowed, "the server does not allow this method on the requested resource", details: .emptyObject)

    /// A path that names nothing: below a group that is served the group says so, elsewhere there is no page.
    func nothing(at path: [String]) throws -> HTTPResponse {
        let isServed = path.first == "api" || (path.first == "apis" && path.count > 1 && Discovery(api.catalog).has(group: path[1]))
        guard isServed || StatusError.removedVersion(path) != nil else { return .noPage }
        throw StatusError.noSuchVersion(path)
    }

    /// An object as the client wants to see it: whole, as a table, or its metadata alone.
    func render(_ object: JSON, _ target: Target, _ request: HTTPRequest, code: Int = 200) throws -> HTTPResponse {
        let representation = try Representation(request.accept)
        try representation.check(isList: false, target.kind)
        switch representation {
        case .table(let version):
            try Table.check(includes: request["includeObject"])
            return .json(
                Table.of(
                    [object], target.kind, revision: object["metadata"]["resourceVersion"].string ?? "", now: now(), version: version,
                    includes: request["includeObject"]), code: code)
        case .metadata(let version, _): return .json(Table.partial(object, version: version), code: code)
        case .protobuf:
            guard !target.kind.isCustom, case .object(let type) = target.kind.schema else { return .json(object, code: code) }
            return .bytes(ProtobufEncoder.object(object, type), contentType: Representation.protobufType, code: code)
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
