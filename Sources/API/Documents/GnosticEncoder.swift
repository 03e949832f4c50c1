import Model

/// An OpenAPI 2.0 document as protobuf, which kubectl before 1.27 asks for. (github.com/google/gnostic-models, openapiv2/OpenAPIv2.proto)
enum GnosticEncoder {
    static func document(_ json: JSON) -> [UInt8] {
        var out = text(1, json["swagger"].string ?? "2.0")
        out += message(2, text(1, json["info"]["title"].string ?? "") + text(2, json["info"]["version"].string ?? ""))
        let schemas = (json["definitions"].object ?? JSONObject()).flatMap { name, value in
            message(1, text(1, name) + message(2, schema(value)))
        }
        let paths = (json["paths"].object ?? JSONObject()).flatMap { name, value in message(2, text(1, name) + message(2, path(value))) }
        return out + message(8, paths) + message(9, schemas)
    }

    /// The PATCH operation alone: by its parameters kubectl knows what a kind supports.
    private static func path(_ json: JSON) -> [UInt8] {
        let patch = json["patch"]
        guard !patch.isNull else { return [] }
        let parameters = patch["parameters"].items.flatMap { parameter in
            // A query parameter, three choices deep.
            let query = text(2, "query") + text(4, parameter["name"].string ?? "") + text(6, "string")
            return message(8, message(1, message(2, message(3, query))))
        }
        let kind = patch["x-kubernetes-group-version-kind"]
        let extensions = [("x-kubernetes-action", patch["x-kubernetes-action"].text()), ("x-kubernetes-group-version-kind", kind.text())]
            .flatMap { message(13, text(1, $0.0) + message(2, text(2, $0.1))) }
        return message(8, parameters + extensions)
    }

    private static func schema(_ json: JSON) -> [UInt8] {
        var out: [UInt8] = []
        if let reference = json["$ref"].string { out += text(1, reference) }
        if let format = json["format"].string { out += text(2, format) }
        if let description = json["description"].string { out += text(4, description) }
        for name in json["required"].items { out += text(19, name.string ?? "") }
        if !json["additionalProperties"].isNull { out += message(21, message(1, schema(json["additionalProperties"]))) }
        if let type = json["type"].string { out += message(22, text(1, type)) }
        if !json["items"].isNull { out += message(23, message(1, schema(json["items"]))) }
        if let properties = json["properties"].object {
            out += message(25, properties.flatMap { name, value in message(1, text(1, name) + message(2, schema(value))) })
        }
        for (name, value) in json.object ?? JSONObject() where name.hasPrefix("x-") {
            out += message(31, text(1, name) + message(2, text(2, value.text())))
        }
        return out
    }

    private static func text(_ number: Int, _ value: String) -> [UInt8] { message(number, Array(value.utf8)) }
    private static func message(_ number: Int, _ content: [UInt8]) -> [UInt8] { varint(number << 3 | 2) + varint(content.count) + content }
    private static func varint(_ value: Int) -> [UInt8] {
        var out: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }
}
