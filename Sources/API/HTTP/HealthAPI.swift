import Model

/// /healthz, /livez, /readyz: whether the server serves, check by check. (kubernetes.io/docs/reference/using-api/health-checks)
enum HealthAPI {
    /// What a server that answers at all has behind it; a store that does not open is no server.
    private static let hooks = [
        "rbac/bootstrap-roles", "scheduling/bootstrap-system-priority-classes", "start-apiextensions-controllers",
        "start-apiextensions-informers",
    ].map { "poststarthook/\($0)" }

    private static func checks(_ path: String) -> [String] {
        switch path {
        case "healthz", "livez": ["ping", "log", "etcd"] + hooks
        default: ["ping", "log", "informer-sync"] + hooks + ["shutdown"]
        }
    }

    /// By whatever method; nil: the path is none of these.
    static func respond(_ request: HTTPRequest) -> HTTPResponse? {
        guard let first = request.path.first, ["healthz", "livez", "readyz"].contains(first) else { return nil }
        let checks = checks(first)
        if request.path.count > 1 || request.rawPath.hasSuffix("/") {
            let name = request.path.dropFirst().joined(separator: "/")
            return checks.contains(name) && !request.rawPath.hasSuffix("/") ? .text("ok") : .noPage
        }
        guard request["verbose"] != nil else { return .text("ok") }
        let excluded = Set(request.query.filter { $0.name == "exclude" }.map(\.value))
        let lines = checks.map { excluded.contains($0) ? "[+]\($0) excluded: ok" : "[+]\($0) ok" }
        return .text(lines.joined(separator: "\n") + "\n\(first) check passed\n")
    }
}

extension HTTPResponse {
    /// A path at which nothing is served.
    static let noPage = HTTPResponse.text("404 page not found\n", code: 404)
}
