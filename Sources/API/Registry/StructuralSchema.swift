import Model

/// The schemas of CustomResourceDefinitions. (kubernetes.io/docs/tasks/extend-kubernetes/custom-resources, "Specifying a structural
/// schema") Validation rules in CEL (x-kubernetes-validations) are stored and not evaluated.
package enum StructuralSchema {
    /// A custom kind's shape: known fields, defaults, list types. What is unknown is pruned, or refused when reading strictly.
    static func schema(_ root: JSON, _ resource: Resource) -> Schema {
        let reversed = resource.group.split(separator: ".").reversed().joined(separator: ".")
        let name = "\(reversed).\(resource.version).\(resource.kind)"
        let fields = fields(root).filter { !["apiVersion", "kind", "metadata"].contains($0.name) }
        let keepsAll = root["x-kubernetes-preserve-unknown-fields"].bool == true
        return .object(ObjectSchema(name: name, fields: [.init("metadata", KindDefinition.metadata)] + fields, keepsUnknown: keepsAll))
    }

    private static func fields(_ schema: JSON) -> [Schema.Field] {
        (schema["properties"].object ?? JSONObject()).map { name, property in
            var field = Schema.Field(name, shape(property), default: property["default"])
            field.isAtomic = property["x-kubernetes-map-type"].string == "atomic"
            return field
        }
    }

    private static func shape(_ schema: JSON) -> Schema {
        if schema["x-kubernetes-int-or-string"].bool == true { return .intOrString }
        switch schema["type"].string {
        case "string": return .string()
        case "integer": return .int64
        case "number": return .number
        case "boolean": return .bool
        case "array":
            var type = Schema.ListType.atomic
            switch schema["x-kubernetes-list-type"].string {
            case "map": type.mapKeys = schema["x-kubernetes-list-map-keys"].items.compactMap(\.string)
            case "set": type.isSet = true
            default: break
            }
            return .list(shape(schema["items"]), type)
        case "object":
            if schema["x-kubernetes-embedded-resource"].bool == true { return .any }
            if !schema["additionalProperties"].isNull, schema["additionalProperties"].bool != false {
                return .map(shape(schema["additionalProperties"]))
            }
            let keepsAll = schema["x-kubernetes-preserve-unknown-fields"].bool == true
            if keepsAll, schema["properties"].isNull { return .any }
            return .object(ObjectSchema(name: "", fields: fields(schema), keepsUnknown: keepsAll))
        default: return .any
        }
    }

    static let junctors = ["allOf", "anyOf", "oneOf"]

    /// A pattern that cannot be read is the definition's fault, not that of the objects that come later.
    static func patternComplaints(_ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if let text = schema["pattern"].string, !text.isEmpty {
            do { _ = try Pattern(text) } catch {
                causes.append(.invalid("\(path).pattern", .string(text), "must be a valid regular expression, but isn't: \(error)"))
            }
        }
        for junctor in junctors {
            for (index, part) in schema[junctor].items.enumerated() {
                causes += nestedPatternComplaints(part, "\(path).\(junctor)[\(index)]")
            }
        }
        return causes + nestedPatternComplaints(schema["not"], "\(path).not")
    }

    /// Of a schema below a junctor, which may say less than a whole one.
    private static func nestedPatternComplaints(_ schema: JSON, _ path: String) -> [StatusError.Cause] {
        guard schema.object != nil else { return [] }
        var causes = patternComplaints(schema, path)
        for (name, property) in schema["properties"].object ?? JSONObject() {
            causes += nestedPatternComplaints(property, "\(path).properties[\(name)]")
        }
        for name in ["items", "additionalProperties"] { causes += nestedPatternComplaints(schema[name], "\(path).\(name)") }
        return causes
    }

    /// Whether there are validation rules in CEL, anywhere.
    static func hasRules(_ schema: JSON) -> Bool {
        guard schema.object != nil else { return false }
        return !schema["x-kubernetes-validations"].items.isEmpty || hasRules(schema["items"]) || hasRules(schema["additionalProperties"])
            || (schema["properties"].object ?? JSONObject()).contains { hasRules($0.value) }
    }

    /// Every pattern of a schema, compiled once.
    package static func patterns(_ schema: JSON) -> [String: Pattern] {
        var patterns: [String: Pattern] = [:]
        func collect(_ schema: JSON) {
            // One that an older minik let in is not there, and what it would be asked about is refused.
            if let text = schema["pattern"].string, patterns[text] == nil { patterns[text] = try? Pattern(text) }
            for (_, property) in schema["properties"].object ?? JSONObject() { collect(property) }
            for name in ["items", "additionalProperties", "not"] where schema[name].object != nil { collect(schema[name]) }
            for junctor in junctors { schema[junctor].items.forEach(collect) }
        }
        collect(schema)
        return patterns
    }
}

extension StatusError.Cause {
    static func tooLong(_ field: String, _ most: Int) -> Self {
        Self(reason: "FieldValueTooLong", message: "Too long: may not be more than \(most) bytes", field: field)
    }
    static func tooMany(_ field: String, _ count: Int, _ most: Int) -> Self {
        Self(reason: "FieldValueTooMany", message: "Too many: \(count): must have at most \(most) items", field: field)
    }
}
