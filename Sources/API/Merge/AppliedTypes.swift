import Model

extension APIServer {
    /// Refuses a configuration that the kind's schema cannot type: an apply patch is typed before anything else is looked at.
    /// (sigs.k8s.io/structured-merge-diff, typed)
    static func checkTypes(of config: JSON, _ kind: KindDefinition, _ key: ObjectKey) throws {
        guard let why = kind.schema.untypeable(config, "") else { return }
        let version = kind.resource.group.isEmpty ? "/\(kind.resource.version)" : kind.resource.apiVersion
        let namespace = config["metadata"]["namespace"].string.flatMap { $0 == key.namespace ? nil : $0 } ?? ""
        throw StatusError(
            500, .unstated,
            "failed to create typed patch object (\(namespace)/\(key.name); \(version), Kind=\(kind.resource.kind)): \(why)")
    }
}

extension Schema {
    /// What of a value has no place in the schema, in upstream's words; nil: all of it has.
    fileprivate func untypeable(_ value: JSON, _ path: String) -> String? {
        switch (self, value) {
        case (_, .null), (.any, _), (.jsonSchema(.orFlag), .bool), (.jsonSchema(.orList), .array): return nil
        case (.jsonSchema, .object): return Schema.object(Self.schemaMembers).untypeable(value, path)
        case (.object(let type), .object(let object)):
            for (name, member) in object {
                guard let field = type[name] else {
                    if type.keepsUnknown { continue }
                    return "\(path).\(name): field not declared in schema"
                }
                if let why = field.schema.untypeable(member, "\(path).\(name)") { return why }
            }
            return nil
        case (.map(let element), .object(let object)):
            for (name, member) in object { if let why = element.untypeable(member, "\(path).\(name)") { return why } }
            return nil
        case (.list(let element, let type), .array(let items)):
            var seen: Set<String> = []
            for (index, item) in items.enumerated() {
                let name = Schema.element(item, type, element)
                let place = name.map { FieldSet.readable($0) } ?? "[\(index)]"
                if let name, !seen.insert(name).inserted { return "\(path): duplicate entries for key \(place)" }
                if let why = element.untypeable(item, path + place) { return why }
            }
            return nil
        case (.string, .string), (.bytes, .string), (.time, .string), (.quantity, _), (.intOrString, _), (.int, .int), (.int64, .int),
            (.bool, .bool), (.number, .int), (.number, .double):
            return nil
        case (.string, _), (.bytes, _), (.time, _): return "\(path): expected string, got \(Self.unstructured(value))"
        case (.bool, _): return "\(path): expected boolean, got \(Self.unstructured(value))"
        case (.int, _), (.int64, _), (.number, _): return "\(path): expected numeric (int or float), got \(Self.kind(of: value))"
        case (.object, _), (.map, _), (.jsonSchema, _): return "\(path): expected map, got \(Self.unstructured(value))"
        case (.list, _): return "\(path): expected list, got \(Self.unstructured(value))"
        }
    }

    private static func unstructured(_ value: JSON) -> String { "&value.valueUnstructured{Value:\(value.text())}" }

    private static func kind(of value: JSON) -> String { value.string == nil ? value.typeName : "string" }
}
