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

    /// With every field that has a name in `schema`, and something below it, a member itself.
    func withNamedMembers(_ schema: Schema) -> FieldSet {
        var result = self
        for (key, child) in children {
            let name = String(key.dropFirst(2))
            switch schema {
            case .object(let type) where key.hasPrefix("f:"):
                var inner = child.withNamedMembers(type[name]?.schema ?? .any)
                inner.isMember = child.isMember || type[name] != nil
                result.children[key] = inner
            case .list(let element, _): result.children[key] = child.withNamedMembers(element)
            default: result.children[key] = child.withNamedMembers(schema.member(name) ?? .any)
            }
        }
        return result
    }

    /// The set of the fields at `paths`, each a list of names.
    init(paths: [[String]]) {
        self.init()
        for path in paths {
            let leaf = FieldSet(isMember: true)
            self = union(path.reversed().reduce(leaf) { inner, name in FieldSet(children: ["f:\(name)": inner]) })
        }
    }

    private init(children: [String: FieldSet]) { self.children = children }

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
