import Model

/// The shape of a field: the one place its type, default, enumeration and merge behaviour are written down.
package indirect enum Schema: Sendable {
    case string(oneOf: [String] = [])
    case int
    case int64
    case bool
    case number
    /// RFC 3339; `micro` with six digits of a second.
    case time(micro: Bool)
    /// Base64 in JSON.
    case bytes
    /// A port number or name; a count or a percentage.
    case intOrString
    /// `100m`, `64Mi`, or a plain number.
    case quantity
    /// Stored as it is.
    case any
    /// A JSON schema, as a definition of a kind of objects holds it, and what may stand in its place.
    case jsonSchema(SchemaForm)
    case map(Schema)
    case list(Schema, ListType = .atomic)
    case object(ObjectSchema)

    package static let string = Schema.string()
    package static let strings = Schema.list(.string())
    package static let labels = Schema.map(.string())

    /// Of a kind of ours, whose fields no table holds.
    package static func object(_ fields: [Field]) -> Schema { .object(ObjectSchema(name: "", fields: fields)) }
    package static func list(_ element: Schema, key: String?) -> Schema { .list(element, key.map(ListType.keyed) ?? .atomic) }

    /// How two versions of a list become one.
    package struct ListType: Sendable, Hashable {
        /// The field by which a strategic merge patch recognises an element (patchMergeKey).
        package var mergeKey: String?
        /// The fields by which server-side apply does (listMapKey).
        package var mapKeys: [String] = []
        /// Elements are values, each at most once (listType=set).
        package var isSet = false
        /// Server-side apply owns each of its named elements as a whole.
        package var hasWholeElements = false
        /// A strategic merge patch adds to a list of values instead of replacing it.
        package var mergesValues = false

        package static let atomic = ListType()
        package static func keyed(_ key: String) -> ListType { ListType(mergeKey: key, mapKeys: [key]) }
    }

    /// Where a schema within a schema stands: a list of them, or a flag, may do as well.
    package enum SchemaForm: Sendable { case whole, orList, orFlag }

    /// The members of a JSON schema, which are schemas themselves. (JSONSchemaProps)
    package static var schemaMembers: ObjectSchema { SchemaTable.type("crd:JSONSchemaProps") }

    package struct Field: Sendable {
        package let name: String
        package var schema: Schema
        /// The field's number in protobuf; 0 for what only JSON carries.
        package var number = 0
        /// The number of the message that wraps this field in protobuf, where Go embeds a struct.
        package var wrapper: Int?
        /// That struct's name.
        var wrapperName: String?
        package var isRequired = false
        /// Go would print the zero value, too: a pointer, or no `omitempty`.
        package var keepsZero = true
        /// Go holds a pointer to it.
        package var isPointer = false
        /// Go prints it whoever wrote it: the struct itself, or a list without `omitempty`.
        package var isHeld = false
        /// Go prints that it is null: a list or a time without `omitempty`.
        package var showsNull = false
        /// How Go calls its kind of string.
        var goName: String?
        /// It is of a feature that is off: known, and not taken.
        package var isGated = false
        /// What must be there and which values are right in it, the kind's validation says by itself.
        package var isUnjudged = false
        /// Server-side apply owns the whole of it or nothing.
        package var isAtomic = false
        /// A strategic merge patch clears what it does not name (patchStrategy=retainKeys).
        package var retainsKeys = false
        package var defaultValue = JSON.null
        /// What JSON Schema is told besides, and whoever reads the field sees to: members of its schema.
        package var rules = JSON.emptyObject

        package init(
            _ name: String, _ schema: Schema, required: Bool = false, default defaultValue: JSON = .null, rules: JSON = .emptyObject
        ) {
            self.rules = rules
            self.name = name
            self.schema = schema
            isRequired = required
            self.defaultValue = defaultValue
        }
    }

    /// A node's taint, as a user may write it.
    package static let taint: [Field] = [
        .init("key", .string, required: true), .init("value", .string),
        .init("effect", .string(oneOf: ["NoSchedule", "PreferNoSchedule", "NoExecute"]), required: true),
    ]

    fileprivate var isNumber: Bool {
        switch self {
        case .int, .int64, .intOrString: true
        default: false
        }
    }

    /// The schema of member `name`, if this is an object or map that has one.
    package func member(_ name: String) -> Schema? {
        switch self {
        case .object(let object): object[name]?.schema
        case .jsonSchema: Self.schemaMembers[name]?.schema
        case .map(let schema): schema
        default: nil
        }
    }
}

/// The fields of one type.
package final class ObjectSchema: Sendable {
    /// As OpenAPI names it: `io.k8s.api.core.v1.PodSpec`; empty for a shape without a name.
    package let name: String
    package let fields: [Schema.Field]
    /// Members that no field names are kept as they are.
    package let keepsUnknown: Bool
    private let places: [String: Int]
    /// `PodSpec`
    package let shortName: String
    /// The fields that are there, or missed, though nobody writes them.
    let unwritten: [Schema.Field]

    package init(name: String, fields: [Schema.Field], keepsUnknown: Bool = false) {
        self.name = name
        self.keepsUnknown = keepsUnknown
        self.fields = fields
        places = Dictionary(fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        shortName = name.split(separator: ".").last.map(String.init) ?? ""
        // Go cannot tell a number that nobody wrote from 0: of the API's types, their validation says what is asked of it.
        unwritten = fields.filter {
            !$0.defaultValue.isNull || $0.showsNull || ($0.isRequired && $0.schema.mustBeGiven && (name.isEmpty || !$0.schema.isNumber))
        }
    }

    package subscript(_ name: String) -> Schema.Field? { places[name].map { fields[$0] } }
    func place(of name: String) -> Int? { places[name] }
}

extension StatusError.Cause {
    package static func required(_ field: String, _ detail: String = "") -> Self {
        Self(reason: "FieldValueRequired", message: "Required value\(detail.isEmpty ? "" : ": \(detail)")", field: field)
    }
    package static func invalid(_ field: String, _ value: JSON, _ detail: String) -> Self {
        Self(reason: "FieldValueInvalid", message: "Invalid value: \(value.text())\(detail.isEmpty ? "" : ": \(detail)")", field: field)
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

extension Schema {
    /// The same, with the values of an enumeration in the order in which messages mostly name them.
    func sortingChoices() -> Schema {
        switch self {
        case .string(let choices): .string(oneOf: choices.sorted())
        case .list(let element, let type): .list(element.sortingChoices(), type)
        case .map(let element): .map(element.sortingChoices())
        default: self
        }
    }

    /// What a member is when nobody says.
    func defaultOfMember(_ name: String) -> JSON {
        guard case .object(let type) = self, let field = type[name], !field.defaultValue.isNull else { return .null }
        var unused = SchemaFindings()
        return field.schema.decode(field.defaultValue, &unused)
    }
}
