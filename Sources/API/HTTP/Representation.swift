import Model

/// The form in which a client wants an answer, by its Accept header.
/// (RFC 9110, 12.5.1; k8s.io/apiserver/pkg/endpoints/handlers/negotiation)
enum Representation: Sendable {
    /// Whole; as YAML where the client takes that first (`HTTPResponse.asYAML`).
    case json, protobuf
    case table(version: String)
    case metadata(version: String, isList: Bool)

    static let protobufType = "application/vnd.kubernetes.protobuf", yamlType = "application/yaml"
    private static let types = ["application/json", yamlType, protobufType]

    static let notAcceptable = StatusError(
        406, .notAcceptable, "only the following media types are accepted: \(types.joined(separator: ", "))")

    private struct Clause {
        let type: String
        let parameters: [String: String]
        var quality: Double { parameters["q"].flatMap { Double($0) } ?? 1 }

        /// Those of an Accept header, the dearest first.
        static func all(_ accept: String) -> [Clause] {
            let clauses = accept.split(separator: ",").map { clause in
                let parts = clause.split(separator: ";").map(\.trimmed)
                var parameters: [String: String] = [:]
                for part in parts.dropFirst() {
                    let sides = part.split(separator: "=", maxSplits: 1).map(\.trimmed)
                    if sides.count == 2 { parameters[sides[0]] = sides[1] }
                }
                return Clause(type: parts.first ?? "", parameters: parameters)
            }
            return clauses.enumerated().sorted { ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset) }.map(\.element)
        }

        /// The first of the served types that it takes.
        var served: String? { type == "*/*" || type == "application/*" ? types.first : types.first { $0 == type } }

        /// The form that it asks for, as that type; nil: there is none such.
        func form(_ served: String, transforms: Bool) -> Representation? {
            guard parameters["as"] != nil || parameters["g"] != nil || parameters["v"] != nil else {
                return served == protobufType ? .protobuf : .json
            }
            guard transforms, let version = parameters["v"], ["v1", "v1beta1"].contains(version), parameters["g"] == "meta.k8s.io" else {
                return nil
            }
            switch parameters["as"] {
            case "Table" where served != protobufType: return .table(version: version)
            case "PartialObjectMetadata": return .metadata(version: version, isList: false)
            case "PartialObjectMetadataList": return .metadata(version: version, isList: true)
            default: return nil
            }
        }
    }

    private static func choice(_ accept: String, transforms: Bool) -> (type: String, form: Representation)? {
        for clause in Clause.all(accept) {
            guard let type = clause.served, let form = clause.form(type, transforms: transforms) else { continue }
            // A client that takes both reads JSON as well; only who wants nothing else gets the rarer form.
            if case .protobuf = form, accept.contains("application/json") { return ("application/json", .json) }
            return (type, form)
        }
        return nil
    }

    /// `transforms`: there is an object, or a list of such, that can be shown as a row or by its metadata.
    init(_ accept: String, transforms: Bool = true) throws {
        if accept.isEmpty {
            self = .json
            return
        }
        guard let (_, form) = Self.choice(accept, transforms: transforms) else { throw Self.notAcceptable }
        self = form
    }

    static func wantsYAML(_ accept: String) -> Bool {
        accept.contains("yaml") && choice(accept, transforms: true)?.type == yamlType
    }

    /// Refuses a client that takes none of what the path is served as, before anybody looks at the object: a type is one by its letters,
    /// and half a wildcard is none. (go-restful, jsr311)
    static func check(_ accept: String, isList: Bool = false) throws {
        let given = accept.split(separator: ",").map { $0.prefix { $0 != ";" }.trimmed }
        if given.isEmpty || given.contains(where: { $0 == "*/*" || types.contains($0) }) { return }
        throw unavailable(types + (isList ? ["application/json;stream=watch", "\(protobufType);stream=watch"] : []))
    }

    static func unavailable(_ types: [String]) -> StatusError {
        StatusError(
            406, .notAcceptable, "406: Not Acceptable\n\nAvailable representations: \(types.joined(separator: ", "))", details: .emptyObject
        )
    }

    /// Refuses the metadata of a list for those of an object, and the other way round.
    func check(isList wanted: Bool, _ kind: KindDefinition) throws {
        guard case .metadata(_, let isList) = self, isList != wanted else { return }
        let name = "PartialObjectMetadata\(isList ? "List" : "")", what = "\(kind.goName)\(wanted ? "List" : "")"
        throw StatusError(
            406, .notAcceptable, "you requested \(name), but the requested object is \(wanted ? "a list" : "not a list") (*\(what))")
    }
}

extension KindDefinition {
    /// What Go's server calls it.
    fileprivate var goName: String {
        if isCustom { return "unstructured.Unstructured" }
        let group = resource.group == "events.k8s.io" ? "" : resource.group
        return "\(group.split(separator: ".").first ?? "core").\(resource.kind)"
    }
}

extension HTTPResponse {
    /// What is JSON, in YAML.
    var asYAML: HTTPResponse {
        switch self {
        case .json(let document, let code): .bytes(Array(YAMLText.of(document).utf8), contentType: Representation.yamlType, code: code)
        case .with(let headers, let answer): .with(headers: headers, answer.asYAML)
        default: self
        }
    }
}
