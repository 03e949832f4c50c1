import Model

/// In which fields an object differs from what it was. (structured-merge-diff, typed: Comparison)
struct FieldComparison {
    var added = FieldSet(), modified = FieldSet(), removed = FieldSet()

    /// Fields that are another value now.
    var set: FieldSet { modified.union(added) }

    /// Without what is at or below the members of `other`.
    func leavingOut(_ other: FieldSet) -> FieldComparison {
        FieldComparison(
            added: added.removingSubtrees(of: other), modified: modified.removingSubtrees(of: other),
            removed: removed.removingSubtrees(of: other))
    }

    /// How a field that holds no others, or counts as one, stands: nil is no field at all.
    fileprivate init(leaf old: JSON?, _ new: JSON?) {
        switch (old, new) {
        case (nil, .some): added.isMember = true
        case (.some, nil): removed.isMember = true
        default: if old != new { modified.isMember = true }
        }
    }

    fileprivate init(ofWhole old: JSON?, _ new: JSON?) {
        added.isMember = old == nil
        removed.isMember = new == nil
    }

    private init(added: FieldSet, modified: FieldSet, removed: FieldSet) {
        (self.added, self.modified, self.removed) = (added, modified, removed)
    }

    fileprivate mutating func put(_ name: String, _ inner: FieldComparison) {
        if !inner.added.isEmpty { added.children[name] = inner.added }
        if !inner.modified.isEmpty { modified.children[name] = inner.modified }
        if !inner.removed.isEmpty { removed.children[name] = inner.removed }
    }
}

extension Schema {
    /// The fields in which `new` differs from `old`; nil is what is not there, and null what is there and holds nothing.
    func comparison(_ old: JSON?, _ new: JSON?, isAtomic: Bool = false) -> FieldComparison {
        if let old, let new, old == new { return FieldComparison(leaf: old, new) }
        func isBare(_ value: JSON?) -> Bool { (value?.object?.isEmpty ?? true) && (value?.array?.isEmpty ?? true) }
        if isAtomic || (isBare(old) && isBare(new)) { return FieldComparison(leaf: old, new) }
        switch self {
        case .list(let element, let type) where type.isGranular:
            guard isAbsentOrList(old), isAbsentOrList(new) else { break }
            return elements(old, new, type, element)
        case .object, .map, .any, .jsonSchema:
            guard isAbsentOrObject(old), isAbsentOrObject(new) else { break }
            var result = FieldComparison(ofWhole: old, new)
            let before = JSONMembers(old?.object ?? JSONObject()), after = JSONMembers(new?.object ?? JSONObject())
            for key in Set(old?.object?.keys ?? []).union(new?.object?.keys ?? []) {
                let field = declared(key)
                // What Go holds itself is there in whatever holds it.
                let held = field?.heldValue
                result.put(
                    "f:\(key)",
                    (field?.schema ?? anyMember(key)).comparison(
                        before[key] ?? (old == nil ? nil : held), after[key] ?? (new == nil ? nil : held),
                        isAtomic: field?.isAtomic ?? false))
            }
            return result
        default: break
        }
        return FieldComparison(leaf: old, new)
    }

    private func isAbsentOrList(_ value: JSON?) -> Bool { value.map { $0.isNull || $0.array != nil } ?? true }
    private func isAbsentOrObject(_ value: JSON?) -> Bool { value.map { $0.isNull || $0.object != nil } ?? true }

    /// Of lists whose elements have names. Those of one name count as one element, which is what they are together.
    private func elements(_ old: JSON?, _ new: JSON?, _ type: ListType, _ element: Schema) -> FieldComparison {
        var result = FieldComparison(ofWhole: old, new)
        func named(_ list: JSON?) -> [String: [JSON]] {
            Dictionary(grouping: list?.items ?? []) { Schema.element($0, type, element) ?? "" }
        }
        let before = named(old), after = named(new)
        for name in Set(before.keys).union(after.keys) {
            let old = before[name] ?? [], new = after[name] ?? []
            if old.count > 1 || new.count > 1 {
                let whole = (old.isEmpty ? nil : JSON.array(old), new.isEmpty ? nil : JSON.array(new))
                result.put(name, FieldComparison(leaf: whole.0, whole.1))
            } else if type.isSet {
                result.put(name, FieldComparison(leaf: old.first, new.first))
            } else {
                result.put(name, element.comparison(old.first, new.first, isAtomic: type.hasWholeElements))
            }
        }
        return result
    }
}

extension Schema.Field {
    /// What is there where nobody wrote the field: Go prints a struct, and whatever it does not leave out when empty.
    fileprivate var heldValue: JSON? {
        if case .object = schema, isHeld { return .emptyObject }
        if isHeld { return defaultValue }
        if showsNull { return .null }
        guard isRequired, !isPointer else { return nil }
        switch schema {
        case .string, .bytes: return ""
        case .int, .int64, .number, .intOrString: return 0
        case .bool: return false
        case .quantity: return "0"
        case .list, .map, .time: return .null
        case .any, .jsonSchema, .object: return nil
        }
    }
}
