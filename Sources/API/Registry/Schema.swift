import Model

/// The shape of a field: the one place its type, default, enumeration and merge behaviour are written down.
package indirect enum Schema: Sendable {
    case string(oneOf: [String] = [])
    case int
    case bool
    case number
    /// A port number or name; a count or a percentage.
    case intOrString
    /// `100m`, `64Mi`, or a plain number.
    case quantity
    /// Stored as it is.
    case any
    case map(Schema)
    /// A list; `key` is the field by which a merge recognises an element (patchMergeKey), nil for lists replaced whole.
    case list(Schema, key: String? = nil)
    case object([Field])

    package struct Field: Sendable {
        package let name: String
        package let schema: Schema
        package let isRequired: Bool
        package let defaultValue: JSON

        package init(_ name: String, _ schema: Schema, required: Bool = false, default defaultValue: JSON = .null) {
            self.name = name
            self.schema = schema
            isRequired = required
            self.defaultValue = defaultValue
        }
    }

    package static let string = Schema.string()
    package static let strings = Schema.list(.string())
    package static let labels = Schema.map(.string())

    /// A node's taint, as a user may write it.
    package static let taint: [Field] = [
        .init("key", .string, required: true), .init("value", .string),
        .init("effect", .string(oneOf: ["NoSchedule", "PreferNoSchedule", "NoExecute"]), required: true),
    ]

    /// The schema of member `name`, if this is an object or map that has one.
    package func member(_ name: String) -> Schema? {
        switch self {
        case .object(let fields): fields.first { $0.name == name }?.schema
        case .map(let schema): schema
        default: nil
        }
    }
}

/// What is wrong with a document, found while it is read against its schema.
package struct SchemaFindings: Sendable {
    /// Fields that the kind does not have, as paths.
    package var unknown: [String] = []
    /// Fields of the wrong type, in Go's words.
    package var mistyped: [String] = []
    package var causes: [StatusError.Cause] = []
}

extension Schema {
    /// Reads `value` against the schema: finds unknown and mistyped fields, fills in defaults.
    package func decode(_ value: JSON, path: String = "", _ findings: inout SchemaFindings) -> JSON {
        switch (self, value) {
        case (_, .null): return .null
        case (.any, _): return value
        case (.string(let allowed), .string(let text)):
            if !allowed.isEmpty, !allowed.contains(text) {
                let list = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
                findings.causes.append(.notSupported(path, .string(text), list))
            }
            return value
        case (.int, _) where value.int != nil: return .int(value.int ?? 0)
        case (.bool, .bool), (.number, .int), (.number, .double), (.intOrString, .int), (.intOrString, .string): return value
        case (.quantity, .string), (.quantity, .int), (.quantity, .double):
            if case .string = value { return value }
            return .string(value.text())
        case (.map(let schema), .object(let object)):
            var result = JSONObject()
            for (key, member) in object { result[key] = schema.decode(member, path: Self.join(path, key), &findings) }
            return .object(result)
        case (.list(let schema, _), .array(let items)):
            return .array(items.enumerated().map { schema.decode($1, path: "\(path)[\($0)]", &findings) })
        case (.object(let fields), .object(let object)):
            var result = JSONObject()
            for (key, member) in object {
                guard let field = fields.first(where: { $0.name == key }) else {
                    findings.unknown.append(Self.join(path, key))
                    continue
                }
                let decoded = field.schema.decode(member, path: Self.join(path, key), &findings)
                if !decoded.isNull { result[key] = decoded }
            }
            for field in fields where result[field.name] == nil {
                if !field.defaultValue.isNull {
                    result[field.name] = field.schema.decode(field.defaultValue, path: Self.join(path, field.name), &findings)
                } else if field.isRequired {
                    findings.causes.append(.required(Self.join(path, field.name)))
                }
            }
            return .object(result)
        default:
            findings.mistyped.append("\(path): cannot unmarshal \(value.typeName) into a field of type \(typeName)")
            return value
        }
    }

    private static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    private var typeName: String {
        switch self {
        case .string: "string"
        case .int: "int32"
        case .bool: "bool"
        case .number: "float"
        case .intOrString: "intstr.IntOrString"
        case .quantity: "resource.Quantity"
        case .any: "object"
        case .map: "map"
        case .list: "list"
        case .object: "struct"
        }
    }
}

extension StatusError.Cause {
    package static func required(_ field: String, _ detail: String = "") -> Self {
        Self(reason: "FieldValueRequired", message: "Required value\(detail.isEmpty ? "" : ": \(detail)")", field: field)
    }
    package static func invalid(_ field: String, _ value: JSON, _ detail: String) -> Self {
        Self(reason: "FieldValueInvalid", message: "Invalid value: \(value.text()): \(detail)", field: field)
    }
    package static func notSupported(_ field: String, _ value: JSON, _ list: String) -> Self {
        Self(reason: "FieldValueNotSupported", message: "Unsupported value: \(value.text()): supported values: \(list)", field: field)
    }
    package static func duplicate(_ field: String, _ value: JSON) -> Self {
        Self(reason: "FieldValueDuplicate", message: "Duplicate value: \(value.text())", field: field)
    }
    package static func forbidden(_ field: String, _ detail: String) -> Self {
        Self(reason: "FieldValueForbidden", message: "Forbidden: \(detail)", field: field)
    }
}
