import Model

/// A field of a document with a value of the wrong type, as Go's decoder tells it, in words for who writes the document.
struct MistypedField {
    /// `spec.images[0]`; empty for the document itself.
    let field: String
    let message: String

    /// `json: cannot unmarshal string into Go struct field .spec.images of type []string`
    init(_ complaint: String, at path: String, of schema: Schema) {
        guard complaint.contains(" Go struct field "), let end = complaint.firstRange(of: " of type ") else {
            (field, message) = (path, complaint)
            return
        }
        field = path
        let found = complaint.firstRange(of: "cannot unmarshal ").map { complaint[$0.upperBound...].prefix { $0 != " " } } ?? ""
        var type = String(complaint[end.upperBound...])
        // Go names of an IntOrString what it tried last.
        let takesText = if case .intOrString? = schema.field(at: path) { true } else { type == "string" }
        if takesText, type != "string" { type = "intstr.IntOrString" }
        message =
            "must be \(Self.wanted(type)), not \(Self.kinds[String(found)] ?? "that")"
            + (found == "bool" && takesText ? ": such words (true, yes, on, y) are texts when they stand in quotes" : "")
    }

    private static let kinds = [
        "string": "text", "number": "a number", "object": "a map", "array": "a list", "bool": "true or false",
    ]

    private static func wanted(_ type: String) -> String {
        switch type {
        case "string": "text"
        case "bool": "true or false"
        case "[]string": "a list of texts"
        case "map[string]string": "a map of texts"
        case "intstr.IntOrString": "a text or a whole number"
        case _ where type.hasPrefix("int"): "a whole number"
        case _ where type.hasPrefix("[]"): "a list of maps"
        default: "a map"
        }
    }
}

extension Schema {
    /// What is to stand at `spec.tasks[0].wait`.
    fileprivate func field(at path: String) -> Schema? {
        path.split(separator: ".").reduce(self as Schema?) { schema, name in
            var found = schema?.member(String(name.prefix { $0 != "[" }))
            while case .list(let element, _)? = found { found = element }
            return found
        }
    }
}
