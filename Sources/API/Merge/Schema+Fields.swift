import Model

extension Schema {
    /// How a list's element is named in a path; nil in a list that is owned whole.
    static func element(_ item: JSON, _ type: ListType, _ element: Schema) -> String? {
        if type.isSet { return "v:\(item.text())" }
        guard !type.mapKeys.isEmpty else { return nil }
        var key = JSONObject()
        for name in type.mapKeys {
            var value = item[name]
            // A key that is not given counts as its default: a port is TCP.
            if value.isNull, case .object(let object) = element { value = object[name]?.defaultValue ?? .null }
            if !value.isNull { key[name] = value }
        }
        return "k:\(JSON.object(key).sorted.text())"
    }

    /// The fields that a document sets: of what holds others the others, unless there are none or no table knows its name.
    /// (structured-merge-diff, typed: toFieldSet)
    package func fields(of value: JSON, isAtomic: Bool = false) -> FieldSet {
        if isAtomic { return FieldSet(isMember: true) }
        switch (self, value) {
        case (.list(_, let type), .null) where type.isGranular: return FieldSet()
        case (.list(let element, let type), .array(let items)) where type.isGranular:
            var set = FieldSet()
            for item in items {
                guard let name = Schema.element(item, type, element) else { continue }
                var inner = type.isSet ? FieldSet() : element.fields(of: item, isAtomic: type.hasWholeElements)
                inner.isMember = true
                set.children[name] = inner
            }
            return set
        case (_, .object(let object)) where holdsMembers:
            var set = FieldSet()
            for (key, member) in object {
                let field = declared(key)
                var inner = (field?.schema ?? anyMember(key)).fields(of: member, isAtomic: field?.isAtomic ?? false)
                if member.isNull || member.object?.isEmpty == true || field == nil { inner.isMember = true }
                if !inner.isEmpty { set.children["f:\(key)"] = inner }
            }
            return set
        case (_, .null) where holdsMembers: return FieldSet()
        default: return FieldSet(isMember: true)
        }
    }

    /// `value` without the members of `set`; what nothing is left of is null. (structured-merge-diff, typed: removeItemsWithSchema)
    func removing(_ set: FieldSet, from value: JSON) -> JSON {
        switch (self, value) {
        case (.list(let element, let type), .array(let items)) where type.isGranular:
            let rest = items.compactMap { item -> JSON? in
                guard let name = Schema.element(item, type, element), let inner = set.children[name] else { return item }
                return inner.isMember ? nil : element.removing(inner, from: item)
            }
            return rest.isEmpty ? .null : .array(rest)
        case (_, .object(let object)) where holdsMembers:
            let rest = object.compactMap { key, member -> JSONObject.Member? in
                guard let inner = set.children["f:\(key)"] else { return (key, member) }
                return inner.isMember ? nil : (key, anyMember(key).removing(inner, from: member))
            }
            return rest.isEmpty ? .null : .object(JSONObject(uniqueMembers: rest))
        default: return value
        }
    }

    /// Members of its value are fields of their own: so they are of what no schema speaks of, too.
    var holdsMembers: Bool {
        switch self {
        case .object, .map, .any, .jsonSchema: true
        default: false
        }
    }

    /// The field that a table gives that name; none of a map's keys is one.
    func declared(_ name: String) -> Field? {
        switch self {
        case .object(let type): type[name]
        case .jsonSchema: Self.schemaMembers[name]
        default: nil
        }
    }

    /// The schema of a member, whether a table knows it or not.
    func anyMember(_ name: String) -> Schema { member(name) ?? .any }
}

extension Schema.ListType {
    /// Its elements are fields of their own.
    var isGranular: Bool { isSet || !mapKeys.isEmpty }
}
