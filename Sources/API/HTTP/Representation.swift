import Model

/// The form in which a client wants an answer, by its Accept header.
enum Representation: Sendable {
    case json, yaml, protobuf
    case table(version: String)
    case metadata

    static let protobufType = "application/vnd.kubernetes.protobuf"

    static let notAcceptable = StatusError(
        406, .notAcceptable,
        "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf")

    /// The first of the accepted types that is served. Quality values are not weighed: Kubernetes' clients send none.
    init(_ accept: String) throws {
        var refusal = false
        for clause in accept.split(separator: ",") {
            let parts = clause.split(separator: ";").map { $0.trimmed.lowercased() }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let sides = part.split(separator: "=", maxSplits: 1).map(String.init)
                if sides.count == 2 { parameters[sides[0]] = sides[1] }
            }
            let version = parameters["v"] ?? "v1"
            switch (parts.first ?? "", parameters["as"]) {
            case ("application/json", "table") where ["v1", "v1beta1"].contains(version): self = .table(version: version)
            case ("application/json", "partialobjectmetadata"), ("application/json", "partialobjectmetadatalist"): self = .metadata
            case ("application/json", nil), ("*/*", nil), ("application/*", nil), ("text/plain", nil): self = .json
            case ("application/yaml", nil): self = .yaml
            case (Self.protobufType, nil): self = .protobuf
            default:
                refusal = true
                continue
            }
            // A client that takes both reads JSON as well; only who wants nothing else gets the rarer form.
            if case .protobuf = self, accept.contains("application/json") { self = .json }
            return
        }
        guard !refusal else { throw Self.notAcceptable }
        self = .json
    }
}
