import Model

extension KindDefinition {
    /// Refuses what says that it is of another kind or version. (upstream: what the scheme does not know is no object, what it knows is
    /// another one, and only then is the version looked at)
    func checkType(of object: JSON) throws {
        let kind = object["kind"].string ?? resource.kind, apiVersion = object["apiVersion"].string ?? resource.apiVersion
        if isCustom {
            guard kind == resource.kind else {
                throw StatusError.invalid(
                    Resource(resource.group, resource.version, resource.plural, kind), object["metadata"]["name"].string ?? "",
                    [.invalid("kind", .string(kind), "must be \(resource.kind)")])
            }
        } else if kind != resource.kind || apiVersion != resource.apiVersion {
            let version = apiVersion.split(separator: "/").last.map(String.init) ?? ""
            let refusal = "\(kind) in version \"\(version)\" cannot be handled as a \(resource.kind)"
            guard Self.isRegistered(kind, apiVersion) else {
                throw StatusError.badRequest(
                    "\(refusal): no kind \"\(kind)\" is registered for version \"\(apiVersion)\" in scheme \"\(scheme)\"")
            }
            guard kind == resource.kind else {
                throw StatusError.badRequest(
                    "\(refusal): converting (\(version).\(kind)) to (\(typesPackage).\(resource.kind)): unknown conversion")
            }
        }
        guard apiVersion == resource.apiVersion else {
            throw StatusError.badRequest(
                "the API version in the data (\(apiVersion)) does not match the expected API version (\(resource.apiVersion))")
        }
    }

    /// Whether a version has a kind: one of its own, the list of one, or one that a release had.
    private static func isRegistered(_ kind: String, _ apiVersion: String) -> Bool {
        let single = kind.hasSuffix("List") ? String(kind.dropLast(4)) : kind
        return Registry.kind(apiVersion: apiVersion, kind: kind) != nil || Registry.kind(apiVersion: apiVersion, kind: single) != nil
            || RemovedVersions.version(apiVersion: apiVersion, kind: kind) != nil
            || (apiVersion == "v1" && ["List", "Status"].contains(kind))
    }

    /// Where the real server's types are registered, as its messages say it.
    private var scheme: String {
        resource.group == "apiextensions.k8s.io" ? "pkg/apiserver/apiserver.go:55" : "pkg/api/legacyscheme/scheme.go:30"
    }

    private var typesPackage: String { resource.group.isEmpty ? "core" : String(resource.group.prefix { $0 != "." }) }
}
