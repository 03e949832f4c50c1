import Model

/// A request's body, in whichever form it came.
struct RequestBody {
    let request: HTTPRequest

    init(_ request: HTTPRequest) { self.request = request }

    static let accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"

    static func unsupported(_ accepted: String) -> StatusError {
        StatusError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: \(accepted)")
    }

    /// The body as an object, whose protobuf form is of the type that `schema` describes.
    func object(_ schema: Schema) throws -> JSON {
        switch request.contentType {
        case Representation.protobufType:
            guard case .object(let type) = schema, !type.name.isEmpty, !type.keepsUnknown else { throw Self.unsupported("application/json, application/yaml") }
            do {
                let (apiVersion, kind, raw) = try ProtobufDecoder.envelope(request.body)
                var object: JSON = ["apiVersion": .string(apiVersion), "kind": .string(kind)]
                for (key, value) in try ProtobufDecoder.decode(raw, type).object ?? JSONObject() { object[key] = value }
                return object
            } catch { throw StatusError.badRequest("unable to decode the protobuf body: \(error)") }
        case "application/yaml", "application/apply-patch+yaml": return try yaml()
        case "", "application/json", "application/x-www-form-urlencoded", "text/plain": return try json()
        default: throw Self.unsupported(Self.accepted)
        }
    }

    /// A JSON body, of whatever shape.
    func document() throws -> JSON {
        do { return try JSON(parsing: request.body) } catch { throw StatusError.badRequest("error decoding patch: \(error)") }
    }

    /// JSON, or YAML, of which JSON is a part.
    func yaml() throws -> JSON {
        if let json = try? JSON(parsing: request.body), json.object != nil { return json }
        guard let text = String(validating: request.body, as: UTF8.self) else { throw StatusError.badRequest("the body is not UTF-8 text") }
        do {
            let documents = try Manifest.read(text, file: "body", keepsLines: false)
            guard documents.count == 1, let document = documents.first else { throw StatusError.badRequest("the body must hold one document") }
            return document.json
        } catch let error as ManifestError { throw StatusError.badRequest("error decoding YAML: \(error)") }
    }

    private func json() throws -> JSON {
        let json: JSON
        var duplicates: [String] = []
        do { json = try JSON(parsing: request.body, duplicates: &duplicates) } catch {
            throw StatusError.badRequest("the object provided is unrecognized (must be of type JSON): \(error)")
        }
        guard json.object != nil else { throw StatusError.badRequest("the object provided is unrecognized: json: cannot unmarshal \(json.typeName) into Go value") }
        if !duplicates.isEmpty, request["fieldValidation"] == "Strict" {
            throw StatusError.badRequest("strict decoding error: \(duplicates.map { "duplicate field \"\($0)\"" }.joined(separator: ", "))")
        }
        return json
    }
}
