import Model

/// Whether a definition's schema says of each place of an object what it is, and nothing that contradicts itself.
/// (k8s.io/apiextensions-apiserver/pkg/apiserver/schema, ValidateStructural, and its defaulting's validation)
struct StructuralValidation {
    private typealias Cause = StatusError.Cause
    /// What a schema describes: a whole object, a member of one, or an element of a list.
    private enum Level { case root, member, element }

    private var causes: [Cause] = []
    /// What a client can read of.
    private static let mostCauses = 100

    static func causes(_ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var validation = StructuralValidation()
        validation.check(schema, path, .root)
        return Array(validation.causes.prefix(mostCauses))
    }

    private mutating func check(_ schema: JSON, _ path: String, _ level: Level) {
        guard schema.object != nil, causes.count < Self.mostCauses else { return }
        checkType(schema, path, level)
        checkKeywords(schema, path)
        checkExtensions(schema, path)
        causes += StructuralSchema.patternComplaints(schema, path)
        if !schema["default"].isNull { checkDefault(schema["default"], schema, "\(path).default") }
        causes += SchemaRules.causes(schema, "\(path).x-kubernetes-validations")
        for junctor in StructuralSchema.junctors {
            for (index, part) in schema[junctor].items.enumerated() { checkPart(part, "\(path).\(junctor)[\(index)]", schema, path) }
        }
        checkPart(schema["not"], "\(path).not", schema, path)
        for (name, property) in schema["properties"].object ?? JSONObject() {
            check(property, "\(path).properties[\(name)]", .member)
            if level == .root, name == "metadata" { checkMetadata(property, "\(path).properties[metadata]") }
        }
        check(schema["items"], "\(path).items", .element)
        check(schema["additionalProperties"], "\(path).additionalProperties", .member)
    }

    private static let types: Set<String> = ["array", "boolean", "integer", "number", "object", "string"]

    private mutating func checkType(_ schema: JSON, _ path: String, _ level: Level) {
        let type = schema["type"].string ?? "", field = "\(path).type"
        if type.isEmpty {
            let isFree = schema["x-kubernetes-preserve-unknown-fields"].bool == true || schema["x-kubernetes-int-or-string"].bool == true
            if level == .root {
                causes.append(.required(field, "must not be empty at the root"))
            } else if !isFree {
                causes.append(.required(field, "must not be empty for specified \(level == .element ? "array items" : "object fields")"))
            }
        } else if type == "null" {
            causes.append(.forbidden(field, "type cannot be set to null, use nullable as an alternative"))
        } else if !Self.types.contains(type) {
            let known = Self.types.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            causes.append(.notSupported(field, .string(type), known))
        }
        if level == .root, !type.isEmpty, type != "object" { causes.append(.invalid(field, .string(type), "must be object at the root")) }
        if type == "array", schema["items"].isNull { causes.append(.required("\(path).items", "must be specified")) }
    }

    /// What JSON Schema has, and a definition may not say.
    private mutating func checkKeywords(_ schema: JSON, _ path: String) {
        if schema["uniqueItems"].bool == true {
            causes.append(
                .forbidden("\(path).uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
        }
        for name in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] where !schema[name].isNull {
            causes.append(.forbidden("\(path).\(name)", "\(name) is not supported"))
        }
        if schema["items"].array != nil {
            causes.append(.forbidden("\(path).items", "items must be a schema object and not an array"))
        }
        let others = schema["additionalProperties"]
        guard !others.isNull else { return }
        if others.bool == false {
            causes.append(.forbidden("\(path).additionalProperties", "additionalProperties cannot be set to false"))
        }
        if schema["properties"].object?.isEmpty == false, others.bool != true {
            causes.append(.forbidden("\(path).additionalProperties", "additionalProperties and properties are mutual exclusive"))
        }
    }

    private mutating func checkExtensions(_ schema: JSON, _ path: String) {
        let properties = schema["properties"].object
        if schema["x-kubernetes-embedded-resource"].bool == true {
            need("object", of: schema, path, "must be object if x-kubernetes-embedded-resource is true")
            if schema["x-kubernetes-preserve-unknown-fields"].bool != true, properties?.isEmpty ?? true {
                let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
                causes.append(.required("\(path).properties", why))
            }
        }
        if !schema["x-kubernetes-map-type"].isNull {
            choice(of: schema, "x-kubernetes-map-type", ["atomic", "granular"], path)
            need("object", of: schema, path, "must be object if x-kubernetes-map-type is specified")
        }
        let keys = schema["x-kubernetes-list-map-keys"], list = schema["x-kubernetes-list-type"]
        if !list.isNull {
            choice(of: schema, "x-kubernetes-list-type", ["atomic", "set", "map"], path)
            need("array", of: schema, path, "must be array if x-kubernetes-list-type is specified")
        }
        if !keys.items.isEmpty, list != "map" {
            let field = "\(path).x-kubernetes-list-type", why = "must be map if x-kubernetes-list-map-keys is non-empty"
            causes.append(list.isNull ? .required(field, why) : .invalid(field, list, why))
        }
        if list == "map" { checkKeys(schema, keys, path) }
        if list == "set" { checkSet(schema["items"], "\(path).items") }
    }

    private mutating func need(_ type: String, of schema: JSON, _ path: String, _ why: String) {
        guard schema["type"].string ?? "" != type else { return }
        let field = "\(path).type"
        causes.append(schema["type"].string ?? "" == "" ? .required(field, why) : .invalid(field, schema["type"], why))
    }

    private mutating func choice(of schema: JSON, _ name: String, _ known: [String], _ path: String) {
        guard !known.contains(schema[name].string ?? "") else { return }
        causes.append(.notSupported("\(path).\(name)", schema[name], known.map { "\"\($0)\"" }.joined(separator: ", ")))
    }

    /// The members by which a list's elements are told apart.
    private mutating func checkKeys(_ schema: JSON, _ keys: JSON, _ path: String) {
        let field = "\(path).x-kubernetes-list-map-keys", items = schema["items"], names = keys.items.compactMap(\.string)
        if names.isEmpty { causes.append(.required(field, "must not be empty if x-kubernetes-list-type is map")) }
        guard !items.isNull else {
            causes.append(.required("\(path).items", "must have a schema if x-kubernetes-list-type is map"))
            return
        }
        if let type = items["type"].string, type != "object" {
            let why = "must be object if parent array's x-kubernetes-list-type is map"
            causes.append(.invalid("\(path).items.type", items["type"], why))
        }
        if Set(names).count < names.count { causes.append(.invalid(field, keys, "must not contain duplicate entries")) }
        if names.contains(where: { items["properties"][$0].isNull }) {
            causes.append(.invalid(field, keys, "entries must all be names of item properties"))
        }
        let required = Set(items["required"].items)
        for name in Set(names).sorted() {
            let property = items["properties"][name], place = "\(path).items.properties[\(name)]"
            guard !property.isNull else { continue }
            if ["object", "array"].contains(property["type"].string) {
                let why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
                causes.append(.invalid("\(place).type", property["type"], why))
            }
            if property["default"].isNull, !required.contains(.string(name)) {
                let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
                causes.append(.required("\(place).default", why))
            }
            if property["nullable"].bool == true {
                causes.append(
                    .forbidden("\(place).nullable", "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"))
            }
        }
    }

    private mutating func checkSet(_ items: JSON, _ path: String) {
        let why = "must be atomic as item of a list with x-kubernetes-list-type=set"
        for (type, kind) in [("object", "map"), ("array", "list")] where items["type"].string == type {
            let name = "x-kubernetes-\(kind)-type"
            if items[name] != "atomic" { causes.append(.invalid("\(path).\(name)", items[name], why)) }
        }
        if items["nullable"].bool == true {
            causes.append(.forbidden("\(path).nullable", "cannot be nullable when x-kubernetes-list-type is set"))
        }
    }

    /// Of an object's metadata a definition may say how it is called.
    private mutating func checkMetadata(_ schema: JSON, _ path: String) {
        let names = Set(schema["properties"].object?.keys ?? []).subtracting(["name", "generateName"])
        let others = Set(schema.object?.keys ?? []).subtracting(["type", "properties", "description"])
        guard !names.isEmpty || !others.isEmpty else { return }
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        causes.append(.forbidden(path, why))
    }

    /// What only the structure itself may say.
    private static let structural = [
        "type", "title", "description", "default", "nullable", "additionalProperties", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
    ]

    /// A part of a junctor speaks of values, and of nothing that `whole` (at `place`) does not have.
    private mutating func checkPart(_ part: JSON, _ path: String, _ whole: JSON, _ place: String) {
        guard part.object != nil, causes.count < Self.mostCauses else { return }
        let mayHaveType = whole["x-kubernetes-int-or-string"].bool == true
        for name in Self.structural where !part[name].isNull && !(name == "type" && mayHaveType) {
            causes.append(.forbidden("\(path).\(name)", "must be empty to be structural"))
        }
        for (name, property) in part["properties"].object ?? JSONObject() {
            let here = "\(path).properties[\(name)]", there = "\(place).properties[\(name)]"
            if whole["properties"][name].isNull { causes.append(.required(there, "because it is defined in \(here)")) }
            checkPart(property, here, whole["properties"][name], there)
        }
        if part["items"].object != nil {
            if whole["items"].isNull { causes.append(.required("\(place).items", "because it is defined in \(path).items")) }
            checkPart(part["items"], "\(path).items", whole["items"], "\(place).items")
        }
        for junctor in StructuralSchema.junctors {
            for (index, inner) in part[junctor].items.enumerated() { checkPart(inner, "\(path).\(junctor)[\(index)]", whole, place) }
        }
        checkPart(part["not"], "\(path).not", whole, place)
    }

    /// What stands where nobody said anything must be as right as what somebody says.
    private mutating func checkDefault(_ value: JSON, _ schema: JSON, _ path: String) {
        if Self.hasUnknown(value, schema) { causes.append(.invalid(path, value, "must not have unknown fields")) }
        for cause in SchemaValidation.causes(value, schema, patterns: StructuralSchema.patterns(schema), mostWork: 1 << 22) {
            let dot = cause.field.isEmpty || cause.field.hasPrefix("[") ? "" : "."
            causes.append(Cause(reason: cause.reason, message: cause.message, field: "\(path)\(dot)\(cause.field)"))
        }
    }

    private static func hasUnknown(_ value: JSON, _ schema: JSON) -> Bool {
        switch value {
        case .array(let items): items.contains { hasUnknown($0, schema["items"]) }
        case .object(let object):
            if schema["x-kubernetes-preserve-unknown-fields"].bool == true || schema["additionalProperties"].bool == true {
                false
            } else {
                object.contains { name, member in
                    let known = schema["properties"][name].isNull ? schema["additionalProperties"] : schema["properties"][name]
                    return known.object == nil || hasUnknown(member, known)
                }
            }
        default: false
        }
    }
}
