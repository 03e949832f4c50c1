import Model

/// What the paths of the API mean (kubernetes.io/docs/reference/using-api/api-concepts).
package struct Router: Sendable {
    let api: APIServer
    let streams: any PodStreams
    let now: @Sendable () -> Timestamp

    package init(api: APIServer, streams: any PodStreams, now: @escaping @Sendable () -> Timestamp = Timestamp.now) {
        self.api = api
        self.streams = streams
        self.now = now
    }

    /// A resource, and what of it is meant.
    struct Target {
        let kind: KindDefinition
        let namespace: String?
        let name: String?
        let subresource: String?

        var key: ObjectKey { ObjectKey(kind.resource.namespaced ? namespace ?? "default" : "", name ?? "") }
    }

    package func respond(_ request: HTTPRequest) async -> HTTPResponse {
        do { return try await route(request) } catch let error as StatusError { return .json(error.status, code: error.code) } catch {
            let status = StatusError(500, "InternalError", "Internal error occurred: \(error)")
            return .json(status.status, code: 500)
        }
    }

    private func route(_ request: HTTPRequest) async throws -> HTTPResponse {
        if ["healthz", "readyz", "livez"].contains(request.path.first) { return .text("ok") }
        guard let target = Router.target(request.path) else {
            throw StatusError(404, "NotFound", "the server could not find the requested resource")
        }
        switch (request.method, target.name, target.subresource) {
        case ("GET", nil, nil) where request.isTrue("watch"): return try await watch(target, request)
        case ("GET", nil, nil): return try await list(target, request)
        case ("GET", .some, nil):
            let object = try await api.get(target.kind.resource, target.key)
            return render(object, target, request)
        case ("GET", .some, "log"): return try await log(target, request)
        case ("POST", nil, nil):
            var object = try Router.body(request)
            if target.kind.resource.namespaced, let namespace = target.namespace {
                if let own = object["metadata"]["namespace"].string, own != namespace {
                    throw StatusError.badRequest("the namespace of the provided object does not match the namespace sent on the request")
                }
                object["metadata"]["namespace"] = .string(namespace)
            }
            return .json(try await api.create(target.kind.resource, object), code: 201)
        case ("PUT", .some, nil): return .json(try await api.update(target.kind.resource, try named(request, target)))
        case ("PUT", .some, "status"): return .json(try await api.updateStatus(target.kind.resource, try named(request, target)))
        case ("PATCH", .some, nil):
            guard request.contentType.hasPrefix("application/merge-patch+json") else {
                throw StatusError(
                    415, "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json")
            }
            return .json(try await api.patch(target.kind.resource, target.key, try Router.body(request)))
        case ("DELETE", .some, nil):
            let options = request.body.isEmpty ? .null : try Router.body(request)
            let grace = request["gracePeriodSeconds"].flatMap { Int($0) } ?? options["gracePeriodSeconds"].int
            let object = try await api.get(target.kind.resource, target.key)
            try await api.delete(
                target.kind.resource, target.key, gracePeriod: target.kind.resource == .namespaces ? nil : grace, uid: options["preconditions"]["uid"].string)
            return .json([
                "kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Success",
                "details": [
                    "name": .string(target.key.name), "kind": .string(target.kind.resource.plural), "uid": object["metadata"]["uid"],
                ],
            ])
        default: throw StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        }
    }

    static func target(_ path: [String]) -> Target? {
        var rest = path[...]
        let group: String
        switch rest.popFirst() {
        case "api": group = ""
        case "apis":
            guard let first = rest.popFirst() else { return nil }
            group = first
        default: return nil
        }
        guard let version = rest.popFirst() else { return nil }
        var namespace: String?
        if rest.first == "namespaces", rest.count > 2 {
            namespace = rest.dropFirst().first
            rest = rest.dropFirst(2)
        }
        guard let plural = rest.popFirst(), let kind = Registry.kind(group: group, version: version, plural: plural) else { return nil }
        let name = rest.popFirst(), subresource = rest.popFirst()
        guard rest.isEmpty else { return nil }
        return Target(kind: kind, namespace: namespace, name: name, subresource: subresource)
    }

    private static func body(_ request: HTTPRequest) throws -> JSON {
        do {
            let json = try JSON(parsing: request.body)
            guard json.object != nil else { throw StatusError.badRequest("the request's body must be a JSON object") }
            return json
        } catch let error as JSONError { throw StatusError.badRequest("the object provided is unrecognized: \(error)") }
    }

    private func named(_ request: HTTPRequest, _ target: Target) throws -> JSON {
        var object = try Router.body(request)
        guard object["metadata"]["name"].string == target.name else {
            throw StatusError.badRequest(
                "the name of the object (\(object["metadata"]["name"].string ?? "")) does not match the name on the URL (\(target.name ?? ""))")
        }
        if let namespace = target.namespace { object["metadata"]["namespace"] = .string(namespace) }
        return object
    }

    // MARK: Collections

    private func filter(_ request: HTTPRequest) throws -> @Sendable (JSON) -> Bool {
        let selector: LabelSelector?
        do { selector = try request["labelSelector"].map { try LabelSelector(parsing: $0) } } catch {
            throw StatusError.badRequest("\(error)")
        }
        let fields = (request["fieldSelector"] ?? "").split(separator: ",").compactMap { part -> (path: [String], value: String, negated: Bool)? in
            let negated = part.contains("!=")
            let sides = part.replacing("!=", with: "=").replacing("==", with: "=").split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return sides.count == 2 ? (sides[0].split(separator: ".").map(String.init), String(sides[1]), negated) : nil
        }
        return { object in
            if let selector, !selector.matches(object["metadata"]["labels"].stringMap) { return false }
            return fields.allSatisfy { path, value, negated in
                let found = path.reduce(object) { $0[$1] }
                return ((found.string ?? (found.isNull ? "" : found.text())) == value) != negated
            }
        }
    }

    private func wantsTable(_ request: HTTPRequest) -> Bool { request.accept.contains("as=Table") }

    private func render(_ object: JSON, _ target: Target, _ request: HTTPRequest) -> HTTPResponse {
        guard wantsTable(request) else { return .json(object) }
        return .json(Table.of([object], target.kind, revision: object["metadata"]["resourceVersion"].string ?? "", now: now()))
    }

    private func list(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let (items, revision) = try await api.list(target.kind.resource, namespace: target.namespace, selector: nil)
        let chosen = items.filter(try filter(request))
        if wantsTable(request) { return .json(Table.of(chosen, target.kind, revision: String(revision), now: now())) }
        return .json([
            "kind": .string("\(target.kind.resource.kind)List"), "apiVersion": .string(target.kind.resource.apiVersion),
            "metadata": ["resourceVersion": .string(String(revision))], "items": .array(chosen),
        ])
    }

    private func watch(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        let start = request["resourceVersion"].flatMap { Int($0) }
        let events = try await api.watch(target.kind.resource, namespace: target.namespace, from: start == 0 ? nil : start)
        let isWanted = try filter(request)
        let asTable = wantsTable(request)
        let kind = target.kind, now = now
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: [UInt8].self)
        let pump = Task {  // ends with the stream it feeds: the handler below cancels it
            do {
                for try await event in events {
                    // An object that no longer matches is gone as far as this watch goes, and one that now does is new to it.
                    let matches = isWanted(event.object), matched = event.previous.map(isWanted)
                    guard matches || matched == true else { continue }
                    let shown: WatchEvent.Kind = !matches ? .deleted : matched == false ? .added : event.kind
                    let object =
                        asTable
                        ? Table.of([event.object], kind, revision: event.object["metadata"]["resourceVersion"].string ?? "", now: now()) : event.object
                    continuation.yield((["type": .string(shown.rawValue), "object": object] as JSON).bytes() + [0x0A])
                }
                continuation.finish()
            } catch let error as StatusError {
                continuation.yield((["type": "ERROR", "object": error.status] as JSON).bytes() + [0x0A])
                continuation.finish()
            } catch { continuation.finish(throwing: error) }
        }
        continuation.onTermination = { _ in pump.cancel() }
        return .stream(contentType: "application/json", stream)
    }

    private func log(_ target: Target, _ request: HTTPRequest) async throws -> HTTPResponse {
        guard target.kind.resource == .pods else { throw StatusError(404, "NotFound", "the server could not find the requested resource") }
        let pod = Pod(try await api.get(.pods, target.key))
        let container = try Router.container(request["container"], of: pod)
        let options = LogOptions(
            follow: request.isTrue("follow"), previous: request.isTrue("previous"), timestamps: request.isTrue("timestamps"),
            tailLines: request["tailLines"].flatMap { Int($0) }, sinceSeconds: request["sinceSeconds"].flatMap { Int($0) })
        return .stream(contentType: "text/plain", try await streams.logs(pod, container: container, options))
    }

    /// The container that is meant: the named one, or the only one.
    static func container(_ name: String?, of pod: Pod) throws -> String {
        let names = (pod.containers + pod.initContainers).map(\.name)
        guard let name, !name.isEmpty else {
            if pod.containers.count == 1 { return pod.containers[0].name }
            throw StatusError.badRequest(
                "a container name must be specified for pod \(pod.name), choose one of: [\(pod.containers.map(\.name).joined(separator: " "))]")
        }
        guard names.contains(name) else { throw StatusError.badRequest("container \(name) is not valid for pod \(pod.name)") }
        return name
    }
}
