import Model

/// One look at whether an object keeps to its custom kind's schema, in the words of kube-openapi's validation. What it may cost is
/// counted: the schema is one person's, the object another's, and together they could ask for any amount of work.
package struct SchemaValidation {
    /// Of the steps that are counted: as many as a look at a value is worth. Others are a pattern's, over a byte of text.
    private static let costOfALook = 256
    /// What a client can read of.
    private static let mostCauses = 100

    private let patterns: [String: Pattern]
    private let mostWork: Int
    private var work = 0

    private init(patterns: [String: Pattern], mostWork: Int) { (self.patterns, self.mostWork) = (patterns, mostWork) }

    /// What `object` breaks of `schema`, whose `patterns` are compiled. A second's work at most.
    package static func causes(_ object: JSON, _ schema: JSON, patterns: [String: Pattern], mostWork: Int = 1 << 28) -> [StatusError.Cause]
    {
        var validation = SchemaValidation(patterns: patterns, mostWork: mostWork)
        let causes = validation.validate(object, schema, "")
        guard validation.work <= mostWork else {
            return [
                .invalid(
                    "", .string(""),
                    "validating the object against its schema is too much work: make the object smaller, or the schema simpler")
            ]
        }
        return Array(causes.prefix(mostCauses))
    }

    private var isSpent: Bool { work > mostWork }

    private mutating func validate(_ value: JSON, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        if value.isNull || schema.isNull || isSpent { return [] }
        work += Self.costOfALook + path.utf8.count
        // What is of another type may be wrong in more ways.
        var causes = SchemaType.cause(value, schema, path).map { [$0] } ?? []
        causes += SchemaType.rangeCauses(value, schema, path)
        if schema["x-kubernetes-embedded-resource"].bool == true {
            for field in ["apiVersion", "kind"] where (value[field].string ?? "").isEmpty { causes.append(.required("\(path).\(field)")) }
        }
        let allowed = schema["enum"].items
        if !allowed.isEmpty, !allowed.contains(value) {
            causes.append(.notSupported(path, value, allowed.map { $0.text() }.joined(separator: ", ")))
        }
        switch value {
        case .string(let text): causes += string(text, schema, path)
        case .int, .double: causes += number(value, schema, path)
        case .array(let items): causes += array(items, schema, path)
        case .object(let object): causes += self.object(object, schema, path)
        default: break
        }
        return causes + junctors(value, schema, path)
    }

    private static func failed(_ path: String, _ value: JSON, _ detail: String) -> StatusError.Cause {
        .invalid(path, value, "\(path) in body \(detail)")
    }

    private mutating func string(_ text: String, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let length = text.unicodeScalars.count
        // The first of them is told.
        if let most = schema["maxLength"].int, length > most { return [.tooLong(path, most)] }
        if let least = schema["minLength"].int, length < least {
            return [Self.failed(path, .string(text), "should be at least \(least) chars long")]
        }
        if let pattern = schema["pattern"].string, !pattern.isEmpty, !matches(pattern, text) {
            causes.append(Self.failed(path, .string(text), "should match '\(pattern)'"))
        }
        return causes
    }

    private mutating func matches(_ pattern: String, _ text: String) -> Bool {
        guard let compiled = patterns[pattern] else { return false }
        work += compiled.steps * text.utf8.count
        return isSpent || compiled.matches(text)
    }

    private func number(_ value: JSON, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let number = value.int.map(Double.init) ?? { if case .double(let number) = value { number } else { 0 } }()
        func bound(_ name: String) -> Double? { Double(schema[name].text()) }
        let excludes = (least: schema["exclusiveMinimum"].bool == true, most: schema["exclusiveMaximum"].bool == true)
        if let least = bound("minimum"), excludes.least ? number <= least : number < least {
            causes.append(
                Self.failed(path, value, "should be greater than \(excludes.least ? "" : "or equal to ")\(schema["minimum"].text())"))
        }
        if let most = bound("maximum"), excludes.most ? number >= most : number > most {
            causes.append(Self.failed(path, value, "should be less than \(excludes.most ? "" : "or equal to ")\(schema["maximum"].text())"))
        }
        if let step = schema["multipleOf"].int, step > 0, value.int.map({ $0 % step != 0 }) ?? true {
            causes.append(Self.failed(path, value, "should be a multiple of \(step)"))
        }
        return causes
    }

    private mutating func array(_ items: [JSON], _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if let least = schema["minItems"].int, items.count < least {
            causes.append(Self.failed(path, .int(items.count), "should have at least \(least) items"))
        }
        if let most = schema["maxItems"].int, items.count > most { causes.append(.tooMany(path, items.count, most)) }
        let keys = schema["x-kubernetes-list-map-keys"].items.compactMap(\.string)
        let isUnique = ["map", "set"].contains(schema["x-kubernetes-list-type"].string)
        var seen: Set<[JSON]> = []
        for (index, item) in items.enumerated() where causes.count < Self.mostCauses && !isSpent {
            if item.isNull, let cause = SchemaType.cause(item, schema["items"], "\(path)[\(index)]") { causes.append(cause) }
            causes += validate(item, schema["items"], "\(path)[\(index)]")
            if isUnique, !seen.insert(keys.isEmpty ? [item] : keys.map { item[$0] }).inserted {
                causes.append(.duplicate("\(path)[\(index)]", item))
            }
        }
        return causes
    }

    private mutating func object(_ object: JSONObject, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        for name in schema["required"].items.compactMap(\.string) where object[name]?.isNull ?? true {
            causes.append(.required(path.isEmpty ? name : "\(path).\(name)"))
        }
        if let least = schema["minProperties"].int, object.count < least {
            causes.append(Self.failed(path, .int(object.count), "should have at least \(least) properties"))
        }
        if let most = schema["maxProperties"].int, object.count > most { causes.append(.tooMany(path, object.count, most)) }
        let properties = schema["properties"]
        work += object.count * (properties.object?.count ?? 0)
        for (name, member) in object where causes.count < Self.mostCauses && !isSpent {
            let known = properties[name]
            causes += validate(member, known.isNull ? schema["additionalProperties"] : known, path.isEmpty ? name : "\(path).\(name)")
        }
        return causes
    }

    private mutating func junctors(_ value: JSON, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        // As upstream, of the whole and not of the field.
        func fail(_ detail: String) { causes.append(.invalid("<nil>", "", "\"\(path)\" \(detail)")) }
        for part in schema["allOf"].items { causes += validate(value, part, path) }
        let any = schema["anyOf"].items
        if !any.isEmpty {
            let failures = any.map { validate(value, $0, path) }
            if !failures.contains(where: \.isEmpty) {
                fail("must validate at least one schema (anyOf)")
                causes += failures.first ?? []
            }
        }
        let one = schema["oneOf"].items
        if !one.isEmpty {
            let failures = one.map { validate(value, $0, path) }, count = failures.count(where: \.isEmpty)
            if count == 0 {
                fail("must validate one and only one schema (oneOf). Found none valid")
                causes += failures.first ?? []
            } else if count > 1 {
                fail("must validate one and only one schema (oneOf). Found \(count) valid alternatives")
            }
        }
        if !schema["not"].isNull, validate(value, schema["not"], path).isEmpty { fail("must not validate the schema (not)") }
        return causes
    }
}
