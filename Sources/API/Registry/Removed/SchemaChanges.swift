import Model

/// How an earlier version's shape is made of a later one's.
extension Schema {
    /// An object's shape under another type's name.
    func named(_ name: String) -> Schema {
        guard case .object(let type) = self else { return self }
        return .object(ObjectSchema(name: name, fields: type.fields, keepsUnknown: type.keepsUnknown))
    }

    /// With the field at `path` (`spec.selector`) changed. The types on the way are others than those of their names, and lose these.
    func changing(_ path: String, _ change: (inout Field) -> Void) -> Schema {
        guard case .object(let type) = self else { return self }
        let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
        let fields = type.fields.map { field in
            guard field.name == parts[0] else { return field }
            var changed = field
            if parts.count == 1 { change(&changed) } else { changed.schema = field.schema.changing(parts[1], change) }
            return changed
        }
        return .object(ObjectSchema(name: "", fields: fields, keepsUnknown: type.keepsUnknown))
    }

    /// With one more field in the object at `path`.
    func adding(_ field: Field, at path: String) -> Schema {
        changing(path) { home in
            guard case .object(let type) = home.schema else { return }
            home.schema = .object(ObjectSchema(name: "", fields: type.fields + [field], keepsUnknown: type.keepsUnknown))
        }
    }

    func defaulting(_ path: String, _ value: JSON) -> Schema { changing(path) { $0.defaultValue = value } }
}
