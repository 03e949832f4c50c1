import Model

extension Schema {
    /// The shape as JSON Schema (draft 2020-12) says it, for editors and for whoever checks documents without minik.
    /// `any`: what stands where this schema takes everything.
    package func jsonSchema(any: JSON = .emptyObject) -> JSON {
        switch self {
        case .string(let allowed):
            allowed.isEmpty ? ["type": "string"] : ["type": "string", "enum": .array(allowed.map(JSON.string))]
        case .int: ["type": "integer", "minimum": .int(Int(Int32.min)), "maximum": .int(Int(Int32.max))]
        case .int64: ["type": "integer"]
        case .bool: ["type": "boolean"]
        case .number: ["type": "number"]
        case .time: ["type": "string", "format": "date-time"]
        case .bytes: ["type": "string", "contentEncoding": "base64"]
        case .intOrString: ["type": ["integer", "string"]]
        case .quantity: ["type": ["string", "number"]]
        case .any, .jsonSchema: any
        case .map(let element): ["type": "object", "additionalProperties": element.jsonSchema(any: any)]
        case .list(let element, _): ["type": "array", "items": element.jsonSchema(any: any)]
        case .object(let type): type.jsonSchema(any: any)
        }
    }
}

extension ObjectSchema {
    fileprivate func jsonSchema(any: JSON) -> JSON {
        var properties = JSON.emptyObject
        for field in fields {
            var schema = field.schema.jsonSchema(any: any)
            for (rule, value) in field.rules.object ?? JSONObject() { schema[rule] = value }
            properties[field.name] = schema
        }
        let required = fields.filter { $0.isRequired }.map(\.name)
        var schema: JSON = ["type": "object", "properties": properties]
        if !required.isEmpty { schema["required"] = .array(required.map(JSON.string)) }
        if !keepsUnknown { schema["additionalProperties"] = false }
        return schema
    }
}
