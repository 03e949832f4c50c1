import Model

/// What is wrong with a document, found while it is read against its schema.
package struct SchemaFindings: Sendable {
    /// Fields that the kind does not have, as paths.
    package var unknown: [String] = []
    /// Fields of the wrong type, in Go's words.
    package var mistyped: [String] = []
    /// Where the first of them stands, with places and keys.
    package private(set) var mistypedPath = ""
    package var causes: [StatusError.Cause] = []

    /// Reading what a server-side apply sets: what it leaves out stays out.
    package var fillsDefaults = true
    /// Of a custom kind the schema's own validation says what is of another type; its metadata is as everybody's.
    package var leavesTypes = false

    /// `embedded`: the struct that Go has a member in, though JSON shows none.
    fileprivate enum Step { case member(String, embedded: String? = nil), key(String), element(Int) }
    /// How Go calls the strings of the field that is read.
    fileprivate var goName: String?
    /// Where the reading stands; made text only when there is something to say.
    fileprivate var steps: [Step] = []

    fileprivate var path: String {
        steps.reduce(into: "") { text, step in
            switch step {
            case .member(let name, _), .key(let name): text += text.isEmpty ? name : ".\(name)"
            case .element(let index): text += "[\(index)]"
            }
        }
    }

    /// As Go's decoder has it: fields alone, without keys and places.
    fileprivate var goPath: String {
        steps.compactMap { step in
            guard case .member(let name, let embedded) = step else { return nil }
            return embedded.map { "\($0).\(name)" } ?? name
        }.joined(separator: ".")
    }

    /// What a status lacks is its writer's affair.
    fileprivate var isInStatus: Bool { if case .member("status", _)? = steps.first { true } else { false } }

    package init() {}

    /// As many as Go's decoder tells of: each is a path, and a document may be full of them.
    private static let most = 100

    fileprivate mutating func noteUnknown() { if unknown.count < Self.most { unknown.append(path) } }
    fileprivate mutating func note(_ cause: (String) -> StatusError.Cause) { if causes.count < Self.most { causes.append(cause(path)) } }
    /// The first is all that anybody hears of.
    fileprivate mutating func noteMistyped(_ words: (String) -> String) {
        guard mistyped.isEmpty, !leavesThis else { return }
        mistyped.append(words(goPath))
        mistypedPath = path
    }

    fileprivate var leavesThis: Bool {
        guard leavesTypes, case .member(let name, _)? = steps.first else { return false }
        return !["metadata", "apiVersion", "kind"].contains(name)
    }
}

extension Schema {
    /// Reads `value` against the schema: finds unknown and mistyped fields, fills in defaults, drops what Go would not print.
    package func decode(_ value: JSON, _ findings: inout SchemaFindings, in struct: String = "") -> JSON {
        switch (self, value) {
        case (_, .null): return .null
        case (.any, _): return value
        case (.string(let allowed), .string(let text)):
            if !allowed.isEmpty, !text.isEmpty, !allowed.contains(text) {
                findings.note {
                    .notSupported($0, .string(text), allowed.filter { !$0.isEmpty }.map { "\"\($0)\"" }.joined(separator: ", "))
                }
            }
            return value
        // A number with a point is none, whole or not.
        case (.int, .int(let number)):
            if Int32(exactly: number) != nil { return value }
        case (.int64, .int): return value
        case (.intOrString, .int(let number)):
            if Int32(exactly: number) != nil { return value }
        case (.bool, .bool), (.number, .int), (.number, .double), (.intOrString, .string): return value
        case (.bytes, .string(let text)):
            if let place = Base64.corruption(in: text) { findings.noteMistyped { _ in "illegal base64 data at input byte \(place)" } }
            return value
        case (.time(let micro), .string(let text)): return Self.time(text, micro: micro, &findings)
        case (.quantity, _):
            return quantity(value, toMilli: false, &findings)
        case (.map(.quantity), .object(let object)):
            return .object(JSONObject(uniqueMembers: object.map { ($0, $1.isNull ? "0" : quantity($1, toMilli: true, &findings)) }))
        case (.map(let schema), .object(let object)):
            var members: [JSONObject.Member] = []
            members.reserveCapacity(object.count)
            for (key, member) in object {
                findings.steps.append(.key(key))
                members.append((key, schema.decodeElement(member, &findings, in: `struct`)))
                findings.steps.removeLast()
            }
            return .object(JSONObject(uniqueMembers: members))
        case (.list(let schema, _), .array(let items)):
            var result: [JSON] = []
            result.reserveCapacity(items.count)
            for (index, item) in items.enumerated() {
                findings.steps.append(.element(index))
                result.append(schema.decodeElement(item, &findings, in: `struct`))
                findings.steps.removeLast()
            }
            return .array(result)
        case (.object(let type), .object(let object)): return type.decode(object, &findings)
        case (.jsonSchema, .object(let object)): return Self.schemaMembers.decode(object, &findings)
        case (.jsonSchema(.orFlag), .bool): return value
        case (.jsonSchema(.orList), .array):
            return Schema.list(.jsonSchema(.whole)).decode(value, &findings, in: `struct`)
        default: break
        }
        // Of a number that does not fit Go says which.
        let given = isInteger && value.typeName == "number" ? "number \(Self.written(value))" : value.typeName
        let type = goType(named: findings.goName)
        findings.noteMistyped { "json: cannot unmarshal \(given) into Go struct field \(`struct`).\($0) of type \(type)" }
        return value
    }

    /// `toMilli`: of a list of resources, in which nothing less counts.
    private func quantity(_ value: JSON, toMilli: Bool, _ findings: inout SchemaFindings) -> JSON {
        let text = (value.string ?? value.text()).trimmed
        if let printed = Quantity.printed(text, toMilli: toMilli) { return .string(printed) }
        let hasForm = text.wholeMatch(of: /[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*/) != nil
        findings.noteMistyped { _ in
            hasForm
                ? "unable to parse quantity's suffix"
                : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        }
        return value
    }

    /// A time as it is written here: whole seconds, or millionths of one.
    private static func time(_ text: String, micro: Bool, _ findings: inout SchemaFindings) -> JSON {
        let layout = "2006-01-02T15:04:05\(micro ? ".000000" : "")Z07:00"
        guard let time = Timestamp(text) else {
            findings.noteMistyped { _ in "parsing time \"\(text)\" as \"\(layout)\": cannot parse \"\(text)\" as \"2006\"" }
            return .string(text)
        }
        guard micro else { return .string(time.description) }
        if let rest = withoutMicroseconds(text) {
            findings.noteMistyped { _ in "parsing time \"\(text)\" as \"\(layout)\": cannot parse \"\(rest)\" as \".000000\"" }
        }
        return .string("\(time.precise.dropLast(4))Z")
    }

    /// What follows the seconds of a time, unless it is six digits of them: Go takes a MicroTime in no other form.
    private static func withoutMicroseconds(_ text: String) -> String? {
        let rest = text.dropFirst(19), digits = rest.dropFirst().prefix(6)
        return rest.hasPrefix(".") && digits.count == 6 && digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? nil : String(rest)
    }

    /// Reads an element of a list or a map. Null is no element's value: Go's decoder leaves there the zero value of its type.
    private func decodeElement(_ value: JSON, _ findings: inout SchemaFindings, in struct: String) -> JSON {
        guard value.isNull else { return decode(value, &findings, in: `struct`) }
        if findings.leavesThis { return .null }
        switch self {
        case .string, .bytes: return ""
        case .int, .int64, .number, .intOrString: return 0
        case .bool: return false
        case .quantity: return "0"
        case .object, .jsonSchema: return decode(.emptyObject, &findings)
        case .time, .any, .map, .list: return .null
        }
    }

    /// What Go leaves out unless a pointer holds it.
    fileprivate static func isZero(_ value: JSON) -> Bool {
        switch value {
        case .string(let text): text.isEmpty
        case .int(let number): number == 0
        case .bool(let flag): !flag
        case .double(let number): number == 0
        case .array(let items): items.isEmpty
        default: false
        }
    }

    private var isInteger: Bool {
        switch self {
        case .int, .int64, .intOrString: true
        default: false
        }
    }

    private var isMap: Bool { if case .map = self { true } else { false } }

    fileprivate func dropsWhenUnset(_ value: JSON) -> Bool {
        switch self {
        case .quantity, .time: false  // structs to Go, which it always prints
        default: Self.isZero(value) || (isMap && value.object?.isEmpty == true)
        }
    }

    /// A number as it probably was written: one with a point has kept it, one that no integer holds is told in digits.
    private static func written(_ value: JSON) -> String {
        guard case .double(let number) = value else { return value.text() }
        guard number.rounded() == number, abs(number) >= 0x1p63, abs(number) < 1e21 else { return "\(number)" }
        return "\(Int128(number))"
    }

    /// The type's name in Go, for decoder errors; its strings may have a name of their own.
    private func goType(named name: String?) -> String {
        guard let name else { return goType }
        switch self {
        case .string: return name
        case .list(let element, _): return "[]\(element.goType(named: name))"
        default: return goType
        }
    }

    package var goType: String {
        switch self {
        case .map(.quantity): "v1.ResourceList"
        case .string: "string"
        case .int: "int32"
        case .int64: "int64"
        case .bool: "bool"
        case .number: "float64"
        case .time: "string"
        case .bytes: "[]uint8"
        case .intOrString: "int32"
        case .quantity: "resource.Quantity"
        case .any: "runtime.RawExtension"
        case .jsonSchema: "v1.JSONSchemaProps"
        case .map(let element): "map[string]\(element.goType)"
        case .list(let element, _): "[]\(element.goType)"
        case .object(let type): "v1.\(type.shortName)"
        }
    }
}

extension Schema.Field {
    /// Go's zero value, where no pointer tells it from none: typed clients write `""` and 0 for every field that nobody set.
    func isUnset(by value: JSON) -> Bool { !keepsZero && schema.dropsWhenUnset(value) }

    /// Its values, where a pointer holds it: `""` is written there by who means it, and is none of them.
    fileprivate var valuesOfPointer: [String]? {
        guard keepsZero, !isRequired, case .string(let values) = schema, !values.isEmpty, !values.contains("") else { return nil }
        return values
    }
}

extension ObjectSchema {
    fileprivate func decode(_ object: JSONObject, _ findings: inout SchemaFindings) -> JSON {
        var members: [JSONObject.Member] = []
        members.reserveCapacity(object.count + 2)
        for (key, member) in object {
            let place = place(of: key)
            findings.steps.append(.member(key, embedded: place.flatMap { fields[$0].wrapperName }))
            defer { findings.steps.removeLast() }
            guard let place else {
                if keepsUnknown {
                    members.append((key, member))
                } else {
                    findings.noteUnknown()
                }
                continue
            }
            if fields[place].isGated { continue }
            let complaints = findings.causes.count
            findings.goName = fields[place].goName
            let decoded = fields[place].schema.decode(member, &findings, in: shortName)
            if fields[place].isUnjudged { findings.causes.removeSubrange(complaints...) }
            if decoded.isNull || fields[place].isUnset(by: decoded) { continue }
            if decoded == "", let values = fields[place].valuesOfPointer {
                findings.note { .notSupported($0, "", values.map { "\"\($0)\"" }.joined(separator: ", ")) }
            }
            members.append((key, decoded))
        }
        if !findings.fillsDefaults { return .object(JSONObject(uniqueMembers: members)) }
        let given = members.count
        for field in unwritten where !members[..<given].contains(where: { $0.key == field.name }) {
            if !field.defaultValue.isNull {
                members.append((field.name, field.schema.decode(field.defaultValue, &findings)))
            } else if field.showsNull {
                members.append((field.name, .null))
            } else if !findings.isInStatus {
                findings.steps.append(.member(field.name))
                findings.note { .required($0) }
                findings.steps.removeLast()
            }
        }
        return .object(JSONObject(uniqueMembers: members))
    }
}

extension Schema {
    /// Go cannot tell an empty struct, list or map from none; validation asks for those by itself.
    var mustBeGiven: Bool {
        switch self {
        case .string, .int, .int64, .intOrString, .time, .quantity: true
        case .object(let type): type.name.isEmpty
        case .list, .map, .any, .jsonSchema, .bool, .number, .bytes: false
        }
    }
}
