import Model

/// What there is: /api, /apis, /version, OpenAPI and the health endpoints.
extension Router {
    /// The answer, if the path is one of the documents that describe the API.
    func documents(_ request: HTTPRequest) async throws -> HTTPResponse? {
        let path = request.path
        switch path.first {
        case "healthz", "readyz", "livez": return HealthAPI.respond(request)
        case "version" where path.count == 1:
            guard request.method == "GET" else { throw Router.methodNotAllowed }
            return .json(Discovery.version(api.cluster.kubernetesVersion))
        case "openapi": return try await openAPI(request)
        case nil:
            let paths =
                ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
                + Discovery(api.catalog).groupPaths
            return .json(["paths": .array(paths.sorted().map(JSON.string))])
        case "openid" where path == ["openid", "v1", "jwks"]:
            let type = "application/jwk-set+json"
            guard request.accept.isEmpty || ["*/*", type].contains(where: request.accept.contains) else {
                throw Representation.unavailable([type])
            }
            return .bytes((api.credentials?.keySet ?? ["keys": []]).bytes(), contentType: type)
        case ".well-known" where path == [".well-known", "openid-configuration"]:
            return .json([
                "issuer": .string(authenticator.issuer), "jwks_uri": .string("\(authenticator.issuer)/openid/v1/jwks"),
                "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            ])
        case "api" where path.count <= 2, "apis" where path.count <= 3:
            // The lists of groups answer to any method.
            guard request.method == "GET" || path.count == 1 else { throw Router.methodNotAllowed }
            guard let document = Discovery(api.catalog).document(path, request.accept) else { return try nothing(at: path) }
            if document["kind"].string != "APIGroupDiscoveryList" {
                try Representation.check(request.accept)
                _ = try Representation(request.accept, transforms: false)
            }
            if document["kind"].string == "APIGroupDiscoveryList" {
                let bytes = document.bytes()
                // Clients that keep the document ask whether it still holds (RFC 9110, section 13.1.2).
                let tag = "\"\(Base64.encode(SHA256.digest(bytes)))\""
                let headers = [("ETag", tag), ("Vary", "Accept")]
                let contentType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
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
        /// Its objects are kept, and not only answered.
        var isStored = false
        var isCustom = false

        /// The same as long as objects are kept in the same version. (k8s.io/apiserver/pkg/endpoints/discovery, StorageVersionHash)
        var storageVersionHash: JSON {
            guard isStored else { return .null }
            let name = "\(resource.group)/\(resource.version)/\(resource.kind)"
            return .string(Base64.encode(Array(SHA256.digest(Array(name.utf8)).prefix(8))))
        }
    }

    private let entries: [Entry]

    /// Each resource by its name, with its parts by theirs.
    init(_ catalog: KindCatalog) {
        var entries = catalog.kinds.map {
            Entry(
                resource: $0.resource, singular: $0.singular, shortNames: $0.shortNames, categories: $0.categories, verbs: $0.verbs,
                subresources: $0.subresources.sorted { $0.name < $1.name }, isStored: true, isCustom: $0.isCustom)
        }
        entries += (Reviews.kinds.map(\.resource) + [Resource("", "v1", "bindings", "Binding")]).map {
            Entry(resource: $0, singular: $0.kind.lowercased(), shortNames: [], categories: [], verbs: ["create"], subresources: [])
        }
        for (plural, kind, namespaced) in [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)] {
            entries.append(
                Entry(
                    resource: Resource("metrics.k8s.io", "v1beta1", plural, kind, namespaced: namespaced), singular: "", shortNames: [],
                    categories: [],
                    verbs: ["get", "list"], subresources: []))
        }
        self.entries = entries.sorted { $0.resource.plural < $1.resource.plural }
    }

    /// The groups as every cluster lists them; whatever else there is comes behind. (upstream: the aggregator's group priorities)
    private static let order = [
        "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch",
        "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
        "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
        "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
    ]

    /// Groups, each with its versions, the preferred first.
    private var groups: [(name: String, versions: [String])] {
        let found = Set(entries.map(\.resource.group))
        let names = Self.order.filter(found.contains) + found.subtracting(Self.order).sorted()
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

    func has(group: String) -> Bool { entries.contains { $0.resource.group == group } }

    var groupPaths: [String] {
        groups.filter { !$0.name.isEmpty }.flatMap { group in ["/apis/\(group.name)"] + group.versions.map { "/apis/\(group.name)/\($0)" } }
    }

    func document(_ path: [String], _ accept: String) -> JSON? {
        // v2beta1 came before v2, and is no longer served: who knows nothing newer reads one group after the other.
        let wantsAll = accept.split(separator: ",").contains { clause in
            let parameters = clause.split(separator: ";").map(\.trimmed)
            return ["as=APIGroupDiscoveryList", "v=v2", "g=apidiscovery.k8s.io"].allSatisfy(parameters.contains)
        }
        if path.count == 1, wantsAll { return aggregated(isCore: path[0] == "api") }
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
                "storageVersionHash": entry.storageVersionHash,
            ]
            return [own]
                + entry.subresources.map { sub in
                    let other = sub.kind.flatMap { $0.group.isEmpty ? nil : $0 }
                    return [
                        "name": .string("\(entry.resource.plural)/\(sub.name)"), "singularName": "",
                        "namespaced": .bool(entry.resource.namespaced),
                        "group": JSON(other?.group), "version": JSON(other?.version),
                        "kind": .string(sub.kind?.kind ?? entry.resource.kind),
                        "verbs": .array(sub.verbs.map(JSON.string)),
                    ]
                }
        }
        let groupVersion = group.isEmpty ? version : "\(group)/\(version)"
        // The oldest group's list is older than the field.
        let apiVersion: JSON = group.isEmpty ? .null : "v1"
        return ["kind": "APIResourceList", "apiVersion": apiVersion, "groupVersion": .string(groupVersion), "resources": .array(list)]
    }

    private static func texts(_ texts: [String]) -> JSON { texts.isEmpty ? .null : .array(texts.map(JSON.string)) }

    private func aggregated(isCore: Bool) -> JSON {
        let items = groups.filter { $0.name.isEmpty == isCore }.map { group -> JSON in
            [
                "metadata": group.name.isEmpty ? .emptyObject : ["name": .string(group.name)],
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
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": .emptyObject,
            "items": .array(items),
        ]
    }

    private static func aggregated(_ entry: Entry) -> JSON {
        let resource = entry.resource
        /// What is of the list's own group and version does not repeat them; custom kinds do.
        func answer(_ kind: String, _ other: (group: String, version: String, kind: String)?) -> JSON {
            let group = other?.group ?? (entry.isCustom ? resource.group : "")
            let version = other.map { $0.group.isEmpty ? "" : $0.version } ?? (entry.isCustom ? resource.version : "")
            return ["group": .string(group), "version": .string(version), "kind": .string(kind)]
        }
        return [
            "resource": .string(resource.plural), "responseKind": answer(resource.kind, nil),
            "scope": .string(resource.namespaced ? "Namespaced" : "Cluster"), "singularResource": .string(entry.singular),
            "verbs": .array(entry.verbs.map(JSON.string)), "shortNames": texts(entry.shortNames), "categories": texts(entry.categories),
            "subresources": entry.subresources.isEmpty
                ? .null
                : .array(
                    entry.subresources.map { sub in
                        [
                            "subresource": .string(sub.name),
                            "responseKind": answer(sub.kind?.kind ?? resource.kind, sub.kind),
                            "verbs": .array(sub.verbs.map(JSON.string)),
                        ]
                    }),
        ]
    }
}
