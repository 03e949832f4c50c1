import Model

/// The schemas of CustomResourceDefinitions. (kubernetes.io/docs/tasks/extend-kubernetes/custom-resources, "Specifying a structural schema")
/// Validation rules in CEL (x-kubernetes-validations) are stored and not evaluated.
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
            if !schema["additionalProperties"].isNull, schema["additionalProperties"].bool != false { return .map(shape(schema["additionalProperties"])) }
            let keepsAll = schema["x-kubernetes-preserve-unknown-fields"].bool == true
            if keepsAll, schema["properties"].isNull { return .any }
            return .object(ObjectSchema(name: "", fields: fields(schema), keepsUnknown: keepsAll))
        default: return .any
        }
    }

    /// Why a schema is not structural.
    static func complaints(_ schema: JSON, _ path: String) -> [StatusError.Cause] {
        guard schema.object != nil else { return [] }
        var causes: [StatusError.Cause] = []
        let free = schema["x-kubernetes-preserve-unknown-fields"].bool == true || schema["x-kubernetes-int-or-string"].bool == true
        if schema["type"].isNull, !free { causes.append(.required("\(path).type", "must not be empty for specified object fields")) }
        if let type = schema["type"].string, !["array", "boolean", "integer", "number", "object", "string"].contains(type) {
            causes.append(.notSupported("\(path).type", .string(type), "\"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""))
        }
        for (name, property) in schema["properties"].object ?? JSONObject() { causes += complaints(property, "\(path).properties[\(name)]") }
        causes += complaints(schema["items"], "\(path).items")
        causes += complaints(schema["additionalProperties"], "\(path).additionalProperties")
        return causes
    }

    /// What an object breaks of its schema, in the words of kube-openapi's validation.
    static func validate(_ value: JSON, _ schema: JSON, _ path: String = "") -> [StatusError.Cause] {
        if value.isNull { return [] }
        var causes: [StatusError.Cause] = []
        func fail(_ detail: String) { causes.append(.invalid(path, value, "\(path) in body \(detail)")) }
        let allowed = schema["enum"].items
        if !allowed.isEmpty, !allowed.contains(value) {
            causes.append(.notSupported(path, value, allowed.map { $0.text() }.joined(separator: ", ")))
        }
        switch value {
        case .string(let text):
            let length = text.unicodeScalars.count
            if let least = schema["minLength"].int, length < least { fail("should be at least \(least) chars long") }
            if let most = schema["maxLength"].int, length > most { causes.append(.tooLong(path, most)) }
            if let pattern = schema["pattern"].string, !Pattern.matches(pattern, text) { fail("should match '\(pattern)'") }
        case .int, .double:
            let number = value.int.map(Double.init) ?? { if case .double(let number) = value { number } else { 0 } }()
            func bound(_ name: String) -> Double? { Double(schema[name].text()) }
            if let least = bound("minimum"), schema["exclusiveMinimum"].bool == true ? number <= least : number < least {
                fail("should be greater than \(schema["exclusiveMinimum"].bool == true ? "" : "or equal to ")\(schema["minimum"].text())")
            }
            if let most = bound("maximum"), schema["exclusiveMaximum"].bool == true ? number >= most : number > most {
                fail("should be less than \(schema["exclusiveMaximum"].bool == true ? "" : "or equal to ")\(schema["maximum"].text())")
            }
        case .array(let items):
            if let least = schema["minItems"].int, items.count < least { fail("should have at least \(least) items") }
            if let most = schema["maxItems"].int, items.count > most { causes.append(.tooMany(path, items.count, most)) }
            let keys = schema["x-kubernetes-list-map-keys"].items.compactMap(\.string)
            var seen: Set<[JSON]> = []
            for (index, item) in items.enumerated() {
                causes += validate(item, schema["items"], "\(path)[\(index)]")
                let identity = keys.isEmpty ? [item] : keys.map { item[$0] }
                let isUnique = ["map", "set"].contains(schema["x-kubernetes-list-type"].string)
                if isUnique, !seen.insert(identity).inserted { causes.append(.duplicate("\(path)[\(index)]", item)) }
            }
        case .object(let object):
            for name in schema["required"].items.compactMap(\.string) where value[name].isNull {
                causes.append(.required(path.isEmpty ? name : "\(path).\(name)"))
            }
            if let least = schema["minProperties"].int, object.count < least { fail("should have at least \(least) properties") }
            for (name, member) in object {
                let here = path.isEmpty ? name : "\(path).\(name)"
                if !schema["properties"][name].isNull {
                    causes += validate(member, schema["properties"][name], here)
                } else {
                    causes += validate(member, schema["additionalProperties"], here)
                }
            }
        default: break
        }
        for part in schema["allOf"].items { causes += validate(value, part, path) }
        let any = schema["anyOf"].items
        if !any.isEmpty, !any.contains(where: { validate(value, $0, path).isEmpty }) { fail("must validate at least one schema (anyOf)") }
        let one = schema["oneOf"].items
        if !one.isEmpty, one.filter({ validate(value, $0, path).isEmpty }).count != 1 { fail("must validate one and only one schema (oneOf)") }
        if !schema["not"].isNull, validate(value, schema["not"], path).isEmpty { fail("must not validate the schema (not)") }
        return causes
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

/// Regular expressions of schemas. One that this engine does not read matches everything: it cannot be held against the user.
enum Pattern {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        guard let regex = try? Regex(pattern) else { return true }
        return text.firstMatch(of: regex) != nil
    }
}
