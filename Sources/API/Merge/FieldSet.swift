import Model

/// A set of an object's fields as metadata.managedFields writes it (FieldsV1). (sigs.k8s.io/structured-merge-diff, fieldpath)
package struct FieldSet: Sendable, Hashable {
    /// The node itself belongs to the set.
    package var isMember = false
    /// By path element: `f:name`, `k:{"name":"x"}`, `v:"x"`.
    package var children: [String: FieldSet] = [:]

    package init(isMember: Bool = false) { self.isMember = isMember }

    package var isEmpty: Bool { !isMember && children.isEmpty }

    /// Reads FieldsV1.
    package init(_ json: JSON) {
        for (key, value) in json.object ?? JSONObject() {
            if key == "." {
                isMember = true
            } else {
                var child = FieldSet(value)
                if child.children.isEmpty { child.isMember = true }
                children[key] = child
            }
        }
    }

    /// FieldsV1: a leaf is `{}`, an inner node that belongs itself has `.`.
    package var json: JSON {
        var keys: [String] = []
        var values: [JSON] = []
        if isMember, !children.isEmpty {
            keys.append(".")
            values.append(.emptyObject)
        }
        for key in children.keys.sorted() {
            keys.append(key)
            values.append(children[key]?.json ?? .emptyObject)
        }
        return .object(JSONObject(uniqueKeys: keys, values: values))
    }

    package func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.isMember = isMember || other.isMember
        for (key, child) in other.children { result.children[key] = result.children[key]?.union(child) ?? child }
        return result
    }

    package func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && other.isMember)
        for (key, child) in children {
            guard let common = other.children[key].map(child.intersection), !common.isEmpty else { continue }
            result.children[key] = common
        }
        return result
    }

    package func subtracting(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && !other.isMember)
        for (key, child) in children {
            let rest = other.children[key].map(child.subtracting) ?? child
            if !rest.isEmpty { result.children[key] = rest }
        }
        return result
    }

    /// Without anything at or below the members of `other`: a field that is gone takes its parts with it.
    func removingSubtrees(of other: FieldSet) -> FieldSet {
        if other.isMember { return FieldSet() }
        var result = FieldSet(isMember: isMember)
        for (key, child) in children {
            let rest = other.children[key].map(child.removingSubtrees) ?? child
            if !rest.isEmpty { result.children[key] = rest }
        }
        return result
    }

    /// The members as paths: `.spec.containers[name="web"].image`.
    package var paths: [String] {
        (isMember ? [""] : [])
            + children.sorted { $0.key < $1.key }.flatMap { key, child in child.paths.map { Self.readable(key) + $0 } }
    }

    static func readable(_ element: String) -> String {
        let body = element.dropFirst(2)
        switch element.prefix(2) {
        case "k:":
            guard let fields = (try? JSON(parsing: String(body)))?.object else { return "[\(body)]" }
            return "[" + fields.map { "\($0)=\($1.text())" }.joined(separator: ",") + "]"
        case "v:": return "[=\(body)]"
        default: return ".\(body)"
        }
    }
}

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

    /// The fields that a document sets.
    package func fields(of value: JSON, isAtomic: Bool = false) -> FieldSet {
        if isAtomic { return FieldSet(isMember: true) }
        switch (self, value) {
        case (.object(let type), .object(let object)):
            var set = FieldSet(isMember: object.isEmpty)
            for (key, member) in object where !member.isNull {
                let field = type[key]
                set.children["f:\(key)"] = (field?.schema ?? .any).fields(of: member, isAtomic: field?.isAtomic ?? false)
            }
            return set
        case (.map(let element), .object(let object)):
            var set = FieldSet(isMember: object.isEmpty)
            for (key, member) in object { set.children["f:\(key)"] = element.fields(of: member) }
            return set
        case (.list(let element, let type), .array(let items)) where type.isSet || !type.mapKeys.isEmpty:
            var set = FieldSet(isMember: items.isEmpty)
            for item in items {
                guard let name = Schema.element(item, type, element) else { continue }
                var inner = type.isSet ? FieldSet() : element.fields(of: item)
                inner.isMember = true
                set.children[name] = inner
            }
            return set
        default: return FieldSet(isMember: true)
        }
    }

    /// The fields in which `new` differs from `old`: added or changed, and removed.
    func differences(_ old: JSON, _ new: JSON, isAtomic: Bool = false) -> (changed: FieldSet, removed: FieldSet) {
        if old == new { return (FieldSet(), FieldSet()) }
        if old.isNull { return (fields(of: new, isAtomic: isAtomic), FieldSet()) }
        if new.isNull { return (FieldSet(), FieldSet(isMember: true)) }
        var changed = FieldSet(), removed = FieldSet()
        func compare(_ name: String, _ schema: Schema, _ a: JSON, _ b: JSON, _ isAtomic: Bool) {
            let (inner, gone) = schema.differences(a, b, isAtomic: isAtomic)
            if !inner.isEmpty { changed.children[name] = inner }
            if !gone.isEmpty { removed.children[name] = gone }
        }
        if !isAtomic {
            switch (self, old, new) {
            case (.object(let type), .object(let old), .object(let new)):
                let a = JSONMembers(old), b = JSONMembers(new)
                for key in Set(old.keys).union(new.keys) {
                    compare("f:\(key)", type[key]?.schema ?? .any, a[key] ?? .null, b[key] ?? .null, type[key]?.isAtomic ?? false)
                }
                return (changed, removed)
            case (.map(let element), .object(let old), .object(let new)):
                let a = JSONMembers(old), b = JSONMembers(new)
                for key in Set(old.keys).union(new.keys) { compare("f:\(key)", element, a[key] ?? .null, b[key] ?? .null, false) }
                return (changed, removed)
            case (.list(let element, let type), .array(let a), .array(let b)) where type.isSet || !type.mapKeys.isEmpty:
                var before: [String: JSON] = [:], after: [String: JSON] = [:]
                for item in a { Schema.element(item, type, element).map { before[$0] = item } }
                for item in b { Schema.element(item, type, element).map { after[$0] = item } }
                for name in Set(before.keys).union(after.keys) {
                    if before[name] == nil {
                        var added = type.isSet ? FieldSet() : element.fields(of: after[name] ?? .null)
                        added.isMember = true
                        changed.children[name] = added
                    } else {
                        compare(name, element, before[name] ?? .null, after[name] ?? .null, false)
                    }
                }
                return (changed, removed)
            default: break
            }
        }
        return (FieldSet(isMember: true), FieldSet())
    }
}
