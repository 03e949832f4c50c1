import Model
import YAML

/// A request's body, in whichever form it came.
struct RequestBody: Sendable {
    let request: HTTPRequest
    private let threads: RequestThreads

    init(_ request: HTTPRequest, _ threads: RequestThreads) { (self.request, self.threads) = (request, threads) }

    /// Reads on the threads that are for it, unless there is little to read. A few bytes of YAML may stand for many values.
    private func reading(isYAML: Bool, _ read: @escaping @Sendable (RequestBody) throws -> JSON) async throws -> JSON {
        try await threads.run(isYAML ? Int.max : request.body.count) { try read(self) }
    }

    private var isYAML: Bool { ["application/yaml", "application/apply-patch+yaml"].contains(request.contentType) }

    /// The body as an object, whose protobuf form is of the type that `schema` describes.
    func object(_ schema: Schema) async throws -> JSON { try await reading(isYAML: isYAML) { try $0.readObject(schema).object } }

    /// The same, and in the decoder's words which of its members stand twice.
    func objectAndRepeats(_ schema: Schema) async throws -> (object: JSON, repeats: [String]) {
        try await threads.run(isYAML ? Int.max : request.body.count) { try readObject(schema) }
    }

    /// A JSON body, of whatever shape.
    func document() async throws -> JSON { try await reading(isYAML: false) { try $0.readDocument() } }

    /// JSON, or YAML, of which JSON is a part.
    func yaml() async throws -> JSON { try await reading(isYAML: true) { try $0.readYAML() } }

    static let accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"

    static func unsupported(_ accepted: String) -> StatusError {
        StatusError(
            415, .unsupportedMediaType, "the body of the request was in an unknown format - accepted media types include: \(accepted)")
    }

    private func readObject(_ schema: Schema) throws -> (object: JSON, repeats: [String]) {
        switch request.contentType {
        case Representation.protobufType:
            guard case .object(let type) = schema, !type.name.isEmpty, !type.keepsUnknown else {
                throw Self.unsupported("application/json, application/yaml")
            }
            do {
                let (apiVersion, kind, raw) = try ProtobufDecoder.envelope(request.body)
                var object: JSON = ["apiVersion": .string(apiVersion), "kind": .string(kind)]
                for (key, value) in try ProtobufDecoder.decode(raw, type).object ?? JSONObject() { object[key] = value }
                return (object, [])
            } catch { throw StatusError.badRequest("unable to decode the protobuf body: \(error)") }
        case "application/yaml", "application/apply-patch+yaml":
            var repeats: [String] = []
            let object = try readYAML(&repeats)
            return (object, repeats)
        case "", "application/json": return try json()
        default: throw Self.unsupported(Self.accepted)
        }
    }

    private func readDocument() throws -> JSON {
        do { return try JSON(parsing: request.body) } catch { throw StatusError.badRequest("error decoding patch: \(error)") }
    }

    private func readYAML() throws -> JSON {
        var unused: [String] = []
        return try readYAML(&unused)
    }

    private func readYAML(_ repeats: inout [String]) throws -> JSON {
        if let json = try? JSON(parsing: request.body), json.object != nil { return json }
        guard let text = String(validating: request.body, as: UTF8.self) else { throw StatusError.badRequest("the body is not UTF-8 text") }
        do {
            let json = try YAMLReader.body(text, repeated: &repeats)
            // Nothing at all is an object of which nothing is said.
            if json.isNull { return .emptyObject }
            guard json.object != nil else {
                throw StatusError.badRequest("the object provided is unrecognized: json: cannot unmarshal \(json.typeName) into Go value")
            }
            return json
        } catch let error as YAMLError {
            throw StatusError.badRequest("error decoding YAML: \(error.file):\(error.line): \(error.message)")
        }
    }

    private func json() throws -> (object: JSON, repeats: [String]) {
        let json: JSON
        var duplicates: [String] = []
        do { json = try JSON(parsing: request.body, duplicates: &duplicates) } catch {
            throw StatusError.badRequest("the object provided is unrecognized (must be of type JSON): \(error)")
        }
        if json.isNull { return (.emptyObject, []) }
        guard json.object != nil else {
            throw StatusError.badRequest("the object provided is unrecognized: json: cannot unmarshal \(json.typeName) into Go value")
        }
        return (json, duplicates.map { "duplicate field \"\($0)\"" })
    }
}
