/// A way to find objects: by what a function says of each.
package struct ObjectIndex: Sendable, Hashable {
    private let name: String
    let values: @Sendable (JSON) -> [String]

    package init(_ name: String, _ values: @escaping @Sendable (JSON) -> [String]) {
        self.name = name
        self.values = values
    }

    package static func == (a: ObjectIndex, b: ObjectIndex) -> Bool { a.name == b.name }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }

    package static let namespace = ObjectIndex("namespace") { [$0.metadata.namespace] }
    /// By namespace and label; see `label(_:_:_:)`.
    package static let labels = ObjectIndex("labels") { object in
        let namespace = object.metadata.namespace
        return object.metadata.labels.map { label(namespace, $0.key, $0.value) }
    }
    /// By namespace and the uid of the owner that manages the object, empty when nobody does.
    package static let controller = ObjectIndex("controller") {
        [controlled($0.metadata.namespace, by: $0.metadata.controller?["uid"].string ?? "")]
    }
    /// Services by one of the labels that each asks of its pods: a pod's own labels lead to all that may select it.
    package static let selector = ObjectIndex("selector") { object in
        let wanted = object["spec"]["selector"].stringMap.min { $0.key < $1.key }
        return wanted.map { [label(object.metadata.namespace, $0.key, $0.value)] } ?? []
    }
    /// Pods by their node, empty before they have one.
    package static let node = ObjectIndex("node") { [$0["spec"]["nodeName"].string ?? ""] }

    package static func label(_ namespace: String, _ key: String, _ value: String) -> String { "\(namespace)/\(key)=\(value)" }
    package static func controlled(_ namespace: String, by uid: String) -> String { "\(namespace)/\(uid)" }
}

/// Objects by key and by indexes; a value.
package struct IndexedObjects: Sendable {
    package private(set) var all: [ObjectKey: JSON] = [:]
    private let indexes: [ObjectIndex]
    private var places: [ObjectIndex: [String: Set<ObjectKey>]] = [:]

    package init(_ indexes: [ObjectIndex] = []) { self.indexes = indexes }

    package subscript(key: ObjectKey) -> JSON? { all[key] }

    /// Puts an object in its place, or takes it out, and says what that changes. Another object of the same name is one that went and one
    /// that came.
    mutating func set(_ key: ObjectKey, _ new: JSON?) -> [Reflector.Change] {
        let old = all[key]
        if let old, let new, old.metadata.resourceVersion == new.metadata.resourceVersion, old == new { return [] }
        for index in indexes {
            let before = Set(old.map(index.values) ?? []), after = Set(new.map(index.values) ?? [])
            for value in before.subtracting(after) {
                places[index]?[value]?.remove(key)
                if places[index]?[value]?.isEmpty == true { places[index]?.drop(value) }
            }
            for value in after.subtracting(before) { places[index, default: [:]][value, default: []].insert(key) }
        }
        if let new { all[key] = new } else { all.drop(key) }
        switch (old, new) {
        case (nil, nil): return []
        case (let old?, let new?) where old.metadata.uid != new.metadata.uid:
            return [Reflector.Change(key: key, old: old, new: nil), Reflector.Change(key: key, old: nil, new: new)]
        default: return [Reflector.Change(key: key, old: old, new: new)]
        }
    }

    func under(_ index: ObjectIndex, _ value: String) -> [(key: ObjectKey, value: JSON)] {
        if indexes.contains(index) { return objects(places[index]?[value] ?? []) }
        return all.filter { index.values($0.value).contains(value) }
    }

    /// No fewer than those of a namespace that a selector may select.
    func candidates(_ namespace: String?, _ selector: LabelSelector?) -> [(key: ObjectKey, value: JSON)] {
        guard let namespace else { return Array(all) }
        if indexes.contains(.labels), let selector {
            // Every one of its requirements must hold: the rarest label leaves the fewest.
            let labels = selector.requirements.filter { $0.op == .in && $0.values.count == 1 }
            let chosen = labels.map { places[.labels]?[ObjectIndex.label(namespace, $0.key, $0.values[0])] ?? [] }
            if let fewest = chosen.min(by: { $0.count < $1.count }) { return objects(fewest) }
        }
        return under(.namespace, namespace)
    }

    private func objects(_ keys: Set<ObjectKey>) -> [(key: ObjectKey, value: JSON)] {
        keys.compactMap { key in all[key].map { (key, $0) } }
    }
}
