import Model

/// What there is: /api, /apis, /version, OpenAPI and the health endpoints.
extension Router {
    /// The answer, if the path is one of the documents that describe the API.
    func documents(_ request: HTTPRequest) async throws -> HTTPResponse? {
        let path = request.path
        switch path.first {
        case "healthz", "readyz", "livez":
            guard request["verbose"] != nil else { return .text("ok") }
            return .text("[+]ping ok\n[+]log ok\n[+]store ok\n\(path[0]) check passed\n")
        case "version" where path.count == 1: return .json(Discovery.version(api.cluster.kubernetesVersion))
        case "openapi": return try await openAPI(request)
        case nil:
            let paths =
                ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
                + Discovery(api.catalog).groupPaths
            return .json(["paths": .array(paths.sorted().map(JSON.string))])
        case "openid" where path == ["openid", "v1", "jwks"]: return .json(api.credentials?.keySet ?? ["keys": []])
        case ".well-known" where path == [".well-known", "openid-configuration"]:
            return .json([
                "issuer": .string(Authenticator.issuer), "jwks_uri": .string("\(Authenticator.issuer)/openid/v1/jwks"),
                "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            ])
        case "api" where path.count <= 2, "apis" where path.count <= 3:
            guard request.method == "GET" else { throw Router.methodNotAllowed }
            guard let document = Discovery(api.catalog).document(path, request.accept) else { throw StatusError.noSuchPath }
            if document["kind"].string == "APIGroupDiscoveryList" {
                let version = document["apiVersion"].string?.split(separator: "/").last.map(String.init) ?? "v2"
                let bytes = document.bytes()
                // Clients that keep the document ask whether it still holds (RFC 9110, section 13.1.2).
                let tag = "\"\(Base64.encode(SHA256.digest(bytes)))\""
                let headers = [("ETag", tag), ("Vary", "Accept")]
                let contentType = "application/json;g=apidiscovery.k8s.io;v=\(version);as=APIGroupDiscoveryList"
                if request.header("If-None-Match") == tag {
                    return .with(headers: headers, .bytes([], contentType: contentType, code: 304))
                }
                return .with(headers: headers, .bytes(bytes, contentType: contentType))
            }
            return .json(document)
        default: return nil
        }
    }
}

/// The discovery documents, made from the kinds of a catalog. (kubernetes.io/docs/concepts/overview/kubernetes-api, "Discovery API")
struct Discovery {
    static func version(_ kubernetes: KubernetesVersion) -> JSON {
        let major = JSON.string("\(kubernetes.major)"), minor = JSON.string("\(kubernetes.minor)")
        // Since 1.33 a server can play an earlier one, and says so.
        let emulates = kubernetes >= KubernetesVersion(1, 33)
        return [
            "major": major, "minor": minor, "emulationMajor": emulates ? major : .null, "emulationMinor": emulates ? minor : .null,
            "minCompatibilityMajor": emulates ? major : .null,
            "minCompatibilityMinor": emulates ? .string("\(kubernetes.minor - 1)") : .null, "gitVersion": .string("\(kubernetes)+minik"),
            "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z",
            "goVersion": "none (Swift)",
            "compiler": "swiftc", "platform": "linux/amd64",
        ]
    }

    /// A resource as discovery tells of it.
    private struct Entry {
        let resource: Resource
        let singular: String
        let shortNames: [String]
        let categories: [String]
        let verbs: [String]
        let subresources: [Subresource]
    }

    private let entries: [Entry]

    init(_ catalog: KindCatalog) {
        var entries = catalog.kinds.map {
            Entry(
                resource: $0.resource, singular: $0.singular, shortNames: $0.shortNames, categories: $0.categories, verbs: $0.verbs,
                subresources: $0.subresources)
        }
        entries += Reviews.kinds.map {
            Entry(
                resource: $0.resource, singular: $0.resource.kind.lowercased(), shortNames: [], categories: [], verbs: ["create"],
                subresources: [])
        }
        for (plural, kind, namespaced) in [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)] {
            entries.append(
                Entry(
                    resource: Resource("metrics.k8s.io", "v1beta1", plural, kind, namespaced: namespaced), singular: "", shortNames: [],
                    categories: [],
                    verbs: ["get", "list"], subresources: []))
        }
        self.entries = entries
    }

    /// Groups in the order in which they were made, each with its versions, the preferred first.
    private var groups: [(name: String, versions: [String])] {
        var names: [String] = []
        for entry in entries where !names.contains(entry.resource.group) { names.append(entry.resource.group) }
        return names.map { name in
            var versions: [String] = []
            for entry in entries where entry.resource.group == name && !versions.contains(entry.resource.version) {
                versions.append(entry.resource.version)
            }
            return (name, versions.sorted(by: Self.isPreferred))
        }
    }

    /// v2 before v1 before v1beta2 before v1alpha1. (k8s.io/apimachinery/pkg/version, CompareKubeAwareVersionStrings)
    private static func isPreferred(_ a: String, _ b: String) -> Bool {
        func rank(_ text: String) -> (Int, Int, Int) {
            let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
            return (text.contains("alpha") ? 0 : text.contains("beta") ? 1 : 2, numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
        }
        return rank(a) > rank(b)
    }

    var groupPaths: [String] {
        groups.filter { !$0.name.isEmpty }.flatMap { group in ["/apis/\(group.name)"] + group.versions.map { "/apis/\(group.name)/\($0)" } }
    }

    func document(_ path: [String], _ accept: String) -> JSON? {
        let clause = accept.split(separator: ",").first { $0.contains("as=APIGroupDiscoveryList") }
        if path.count == 1, let clause {
            return aggregated(isCore: path[0] == "api", version: clause.contains("v=v2;") || clause.hasSuffix("v=v2") ? "v2" : "v2beta1")
        }
        switch path.count {
        case 1 where path[0] == "api":
            return [
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": "kubernetes.default.svc:443"]],
            ]
        case 1: return ["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.filter { !$0.name.isEmpty }.map(group))]
        case 2 where path[0] == "api": return resources(group: "", version: path[1])
        case 2:
            return groups.first { $0.name == path[1] }.map { one in
                var document = group(one)
                document["kind"] = "APIGroup"
                document["apiVersion"] = "v1"
                return document
            }
        default: return resources(group: path[1], version: path[2])
        }
    }

    private func group(_ group: (name: String, versions: [String])) -> JSON {
        let versions: [JSON] = group.versions.map { ["groupVersion": .string("\(group.name)/\($0)"), "version": .string($0)] }
        return ["name": .string(group.name), "versions": .array(versions), "preferredVersion": versions.first ?? .null]
    }

    private func resources(group: String, version: String) -> JSON? {
        let here = entries.filter { $0.resource.group == group && $0.resource.version == version }
        guard !here.isEmpty else { return nil }
        let list = here.flatMap { entry -> [JSON] in
            let own: JSON = [
                "name": .string(entry.resource.plural), "singularName": .string(entry.singular),
                "namespaced": .bool(entry.resource.namespaced),
                "kind": .string(entry.resource.kind), "verbs": .array(entry.verbs.map(JSON.string)),
                "shortNames": Self.texts(entry.shortNames),
                "categories": Self.texts(entry.categories),
            ]
            return [own]
                + entry.subresources.map { sub in
                    [
                        "name": .string("\(entry.resource.plural)/\(sub.name)"), "singularName": "",
                        "namespaced": .bool(entry.resource.namespaced),
                        "group": JSON(sub.kind?.group), "version": JSON(sub.kind?.version),
                        "kind": .string(sub.kind?.kind ?? entry.resource.kind),
                        "verbs": .array(sub.verbs.map(JSON.string)),
                    ]
                }
        }
        let groupVersion = group.isEmpty ? version : "\(group)/\(version)"
        return ["kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(groupVersion), "resources": .array(list)]
    }

    private static func texts(_ texts: [String]) -> JSON { texts.isEmpty ? .null : .array(texts.map(JSON.string)) }

    private func aggregated(isCore: Bool, version: String) -> JSON {
        let items = groups.filter { $0.name.isEmpty == isCore }.map { group -> JSON in
            [
                "metadata": ["name": .string(group.name)],
                "versions": .array(
                    group.versions.map { version in
                        [
                            "version": .string(version), "freshness": "Current",
                            "resources": .array(
                                entries.filter { $0.resource.group == group.name && $0.resource.version == version }.map(Self.aggregated)),
                        ]
                    }),
            ]
        }
        return [
            "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"), "metadata": .emptyObject,
            "items": .array(items),
        ]
    }

    private static func aggregated(_ entry: Entry) -> JSON {
        let resource = entry.resource
        return [
            "resource": .string(resource.plural),
            "responseKind": ["group": .string(resource.group), "version": .string(resource.version), "kind": .string(resource.kind)],
            "scope": .string(resource.namespaced ? "Namespaced" : "Cluster"), "singularResource": .string(entry.singular),
            "verbs": .array(entry.verbs.map(JSON.string)), "shortNames": texts(entry.shortNames), "categories": texts(entry.categories),
            "subresources": entry.subresources.isEmpty
                ? .null
                : .array(
                    entry.subresources.map { sub in
                        [
                            "subresource": .string(sub.name),
                            "responseKind": [
                                "group": .string(sub.kind?.group ?? resource.group),
                                "version": .string(sub.kind?.version ?? resource.version),
                                "kind": .string(sub.kind?.kind ?? resource.kind),
                            ],
                            "verbs": .array(sub.verbs.map(JSON.string)),
                        ]
                    }),
        ]
    }
}
