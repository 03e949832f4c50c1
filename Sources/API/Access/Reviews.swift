import Model
import Store

/// The kinds that are questions: created, answered, never stored.
struct Reviews: Sendable {
    let authenticator: Authenticator
    let authorizer: Authorizer
    let now: @Sendable () -> Timestamp

    /// Their place in the API, and the table's type of each.
    static let kinds: [(resource: Resource, type: String)] = [
        (
            Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced: false),
            "authorization:SelfSubjectAccessReview"
        ),
        (
            Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced: false),
            "authorization:SubjectAccessReview"
        ),
        (
            Resource("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"),
            "authorization:LocalSubjectAccessReview"
        ),
        (
            Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced: false),
            "authorization:SelfSubjectRulesReview"
        ),
        (Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced: false), "authentication:TokenReview"),
        (
            Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced: false),
            "authentication:SelfSubjectReview"
        ),
    ]

    static func schema(_ type: String) -> Schema { KindDefinition.withTypeMeta(.object(SchemaTable.type(type))) }

    func answer(_ review: JSON, _ resource: Resource, user: UserInfo) async throws -> JSON {
        var review = review
        review["apiVersion"] = .string(resource.apiVersion)
        review["kind"] = .string(resource.kind)
        review["metadata"]["creationTimestamp"] = .null
        if review["metadata"].isNull { review["metadata"] = .emptyObject }
        switch resource.kind {
        case "SelfSubjectAccessReview":
            try Self.validate(review, resource, namesUser: true)
            review["status"] = try await decide(review["spec"], user)
        case "SubjectAccessReview", "LocalSubjectAccessReview":
            let spec = review["spec"]
            try Self.validate(review, resource, namesUser: spec["user"].string ?? "" != "" || !spec["groups"].items.isEmpty)
            review["status"] = try await decide(
                spec, UserInfo(name: spec["user"].string ?? "", groups: spec["groups"].items.compactMap(\.string)))
        case "SelfSubjectRulesReview":
            guard let namespace = review["spec"]["namespace"].string, !namespace.isEmpty else {
                throw StatusError.badRequest("no namespace on request")
            }
            review["spec"] = .emptyObject
            review["status"] = try await rules(user, namespace)
        case "TokenReview":
            if (review["spec"]["token"].string ?? "").isEmpty {
                throw StatusError.badRequest("token is required for TokenReview in authentication")
            }
            let wanted = review["spec"]["audiences"].items.compactMap(\.string)
            if let (who, audiences) = try await authenticator.user(
                token: review["spec"]["token"].string ?? "", audiences: wanted.isEmpty ? [authenticator.issuer] : wanted)
            {
                review["status"] = ["authenticated": true, "user": who.json, "audiences": .array(audiences.map(JSON.string))]
            } else {
                review["status"] = ["user": .emptyObject, "error": "invalid bearer token"]
            }
        default:
            review["status"] = ["userInfo": user.json]
            review["metadata"]["creationTimestamp"] = .string(now().description)
        }
        return review
    }

    /// One thing is asked about, by somebody. (kubernetes pkg/apis/authorization/validation)
    private static func validate(_ review: JSON, _ resource: Resource, namesUser: Bool) throws {
        var causes: [StatusError.Cause] = []
        let spec = review["spec"], isLocal = resource.kind == "LocalSubjectAccessReview"
        let attributes = spec["resourceAttributes"], path = spec["nonResourceAttributes"]
        if attributes.isNull, path.isNull {
            causes.append(
                .invalid("spec.resourceAttributes", .null, "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
        } else if !attributes.isNull, !path.isNull {
            causes.append(
                .invalid(
                    "spec.nonResourceAttributes", ["Path": .string(path["path"].string ?? ""), "Verb": .string(path["verb"].string ?? "")],
                    "cannot be specified in combination with resourceAttributes"))
        }
        if !namesUser { causes.append(.invalid("spec.user", "", "at least one of user or group must be specified")) }
        let labels = attributes["labelSelector"], field = "spec.resourceAttributes"
        if labels["rawSelector"].string ?? "" != "", !labels["requirements"].items.isEmpty {
            causes.append(
                .invalid("\(field).labelSelector.rawSelector", labels["rawSelector"], "may not specified at the same time as requirements"))
        }
        for name in ["labelSelector", "fieldSelector"] where !attributes[name].isNull {
            guard attributes[name]["rawSelector"].string ?? "" == "", attributes[name]["requirements"].items.isEmpty else { continue }
            let why = "when \(field).\(name) is specified, requirements or rawSelector is required"
            causes.append(.required("\(field).\(name).requirements", why))
        }
        if isLocal, !attributes.isNull, attributes["namespace"] != review["metadata"]["namespace"] {
            causes.append(.invalid("\(field).namespace", .string(attributes["namespace"].string ?? ""), "must match metadata.namespace"))
        }
        if isLocal, !path.isNull {
            let given: JSON = ["Path": .string(path["path"].string ?? ""), "Verb": .string(path["verb"].string ?? "")]
            causes = causes.filter { $0.field == "spec.nonResourceAttributes" }
            causes.append(.invalid("spec.nonResourceAttributes", given, "disallowed on this kind of request"))
        }
        // Of reviews upstream names the group alone.
        if !causes.isEmpty { throw StatusError.invalid(Resource(resource.group, resource.version, "", ""), "", causes) }
    }

    private func decide(_ spec: JSON, _ user: UserInfo) async throws -> JSON {
        let attributes = spec["resourceAttributes"]
        var request = AccessRequest(verb: attributes["verb"].string ?? spec["nonResourceAttributes"]["verb"].string ?? "")
        if attributes.isNull {
            request.path = spec["nonResourceAttributes"]["path"].string ?? ""
        } else {
            request.group = attributes["group"].string ?? ""
            request.resource = attributes["resource"].string ?? ""
            request.subresource = attributes["subresource"].string ?? ""
            request.name = attributes["name"].string ?? ""
            request.namespace = attributes["namespace"].string ?? ""
        }
        if user.groups.contains(UserInfo.masters) { return ["allowed": true] }
        let reason = try await authorizer.reason(user, request)
        return ["allowed": .bool(reason != nil), "reason": JSON(reason)]
    }

    private func rules(_ user: UserInfo, _ namespace: String) async throws -> JSON {
        let rules = try await authorizer.rules(of: user, in: namespace)
        return [
            "resourceRules": .array(rules.filter { $0["nonResourceURLs"].items.isEmpty }),
            "nonResourceRules": .array(
                rules.filter { !$0["nonResourceURLs"].items.isEmpty }.map {
                    ["verbs": $0["verbs"], "nonResourceURLs": $0["nonResourceURLs"]]
                }),
            "incomplete": false,
        ]
    }
}

/// Whether somebody may do something, for parts of the cluster that ask on behalf of others.
package struct AccessQuestion: Sendable {
    private let authorizer: Authorizer

    package init(_ api: APIServer) { authorizer = Authorizer(store: api.store) }

    package func allows(user name: String, groups: [String], _ access: AccessRequest) async throws -> Bool {
        try await authorizer.allows(UserInfo(name: name, groups: groups), access)
    }
}
