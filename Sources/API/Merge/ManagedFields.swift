import Model

/// metadata.managedFields: who set which fields, and server-side apply, which asks that.
/// (kubernetes.io/docs/reference/using-api/server-side-apply)
struct ManagedFields {
    struct Entry: Hashable {
        var manager: String
        /// `Apply` or `Update`.
        var operation: String
        var apiVersion: String
        var subresource: String
        var time: String
        var fields: FieldSet

        /// By which way the manager came by its fields, as conflicts tell it.
        var how: String {
            (subresource.isEmpty ? "" : " with subresource \"\(subresource)\"") + (operation == "Apply" ? "" : " using \(apiVersion)")
        }

        func isSameManager(as other: Entry) -> Bool {
            manager == other.manager && operation == other.operation && apiVersion == other.apiVersion && subresource == other.subresource
        }
    }

    var entries: [Entry]

    /// Whether who writes `metadata` wants all notes of managers to be forgotten.
    static func forgets(_ metadata: JSON) -> Bool {
        metadata["managedFields"].array.map { $0.allSatisfy { $0 == .emptyObject } } ?? false
    }

    init(_ metadata: JSON) {
        entries = metadata["managedFields"].items.map {
            Entry(
                manager: $0["manager"].string ?? "", operation: $0["operation"].string ?? "", apiVersion: $0["apiVersion"].string ?? "",
                subresource: $0["subresource"].string ?? "", time: $0["time"].string ?? "", fields: FieldSet($0["fieldsV1"]))
        }
    }

    var json: JSON {
        let kept = entries.filter { !$0.fields.isEmpty }
        return kept.isEmpty
            ? .null
            : .array(
                kept.map {
                    [
                        "manager": .string($0.manager), "operation": .string($0.operation), "apiVersion": .string($0.apiVersion),
                        "time": .string($0.time), "fieldsType": "FieldsV1", "fieldsV1": $0.fields.json,
                        "subresource": $0.subresource.isEmpty ? .null : .string($0.subresource),
                    ]
                })
    }

    /// What nobody owns: who an object is and what the server counts.
    static func ownable(_ object: JSON) -> JSON {
        var copy = object
        copy["apiVersion"] = .null
        copy["kind"] = .null
        for field in [
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
            "deletionGracePeriodSeconds", "managedFields",
            "selfLink", "generateName",
        ] { copy["metadata"][field] = .null }
        if copy["metadata"].object?.isEmpty == true { copy["metadata"] = .null }
        return copy
    }

    /// Notes an update: what `manager` changed is the manager's alone from now on.
    mutating func update(_ manager: Entry, old: JSON, new: JSON, _ schema: Schema) {
        let (changed, removed) = schema.differences(Self.ownable(old), Self.ownable(new))
        if changed.isEmpty, removed.isEmpty { return }
        for index in entries.indices {
            if !entries[index].isSameManager(as: manager) { entries[index].fields = entries[index].fields.subtracting(changed) }
            entries[index].fields = entries[index].fields.removingSubtrees(of: removed)
        }
        guard !changed.isEmpty else { return }
        if let own = entries.firstIndex(where: { $0.isSameManager(as: manager) }) {
            entries[own].fields = entries[own].fields.union(changed)
            entries[own].time = manager.time
        } else {
            var entry = manager
            entry.fields = changed
            entries.append(entry)
        }
    }

    /// Applies `config` for `manager`: the merged object, with what the manager applied before and no longer does taken out.
    /// Throws the conflicts with others' fields unless `force` takes those over.
    mutating func apply(_ config: JSON, _ manager: Entry, live: JSON, _ schema: Schema, _ resource: Resource, force: Bool) throws -> JSON {
        let wanted = schema.fields(of: Self.ownable(config))
        let own = entries.firstIndex { $0.isSameManager(as: manager) }
        let before = own.map { entries[$0].fields } ?? FieldSet()
        var merged = Self.merge(live, config, schema)
        let (changed, _) = schema.differences(Self.ownable(live), Self.ownable(merged))
        var conflicts: [(Entry, FieldSet)] = []
        for index in entries.indices where index != own {
            let contested = entries[index].fields.intersection(wanted).intersection(changed)
            if contested.isEmpty { continue }
            conflicts.append((entries[index], contested))
            entries[index].fields = entries[index].fields.subtracting(contested)
        }
        if !conflicts.isEmpty, !force { throw Self.conflict(conflicts) }
        // What the manager gave up, and nobody else has, goes.
        let others = entries.indices.filter { $0 != own }.reduce(FieldSet()) { $0.union(entries[$1].fields) }
        let dropped = before.subtracting(wanted).subtracting(others)
        if !dropped.isEmpty { merged = Self.remove(dropped, from: merged, schema, wanted) }
        var entry = manager
        entry.fields = wanted
        if let own {
            if entries[own].fields == wanted { entry.time = entries[own].time }
            entries[own] = entry
        } else {
            entries.append(entry)
        }
        return merged
    }

    private static func conflict(_ conflicts: [(Entry, FieldSet)]) -> StatusError {
        let causes = conflicts.flatMap { entry, fields in
            fields.paths.map { path in
                let how = entry.how
                return StatusError.Cause(reason: "FieldManagerConflict", message: "conflict with \"\(entry.manager)\"\(how)", field: path)
            }
        }
        let groups = conflicts.map { entry, fields in
            let how = entry.how, paths = fields.paths
            return paths.count == 1
                ? "conflict with \"\(entry.manager)\"\(how): \(paths[0])"
                : "conflicts with \"\(entry.manager)\"\(how):\n" + paths.map { "- \($0)" }.joined(separator: "\n")
        }
        let message =
            causes.count == 1
            ? "Apply failed with 1 conflict: \(groups[0])"
            : "Apply failed with \(causes.count) conflicts: \(groups.joined(separator: "\n"))"
        return StatusError(409, .conflict, message, causes: causes)
    }

    /// `config` laid over `live`: maps and recognisable lists merge, the rest is replaced.
    static func merge(_ live: JSON, _ config: JSON, _ schema: Schema, isAtomic: Bool = false) -> JSON {
        if isAtomic { return config }
        switch (schema, live, config) {
        case (.object, .object, .object(let fields)), (.map, .object, .object(let fields)):
            var result = live
            for (key, value) in fields {
                var atomic = false
                if case .object(let type) = schema { atomic = type[key]?.isAtomic ?? false }
                result[key] = merge(live[key], value, schema.member(key) ?? .any, isAtomic: atomic)
            }
            return result
        case (.list(let element, let type), .array(let before), .array(let items)) where type.isSet || !type.mapKeys.isEmpty:
            var result = before
            for item in items {
                let name = Schema.element(item, type, element)
                if let place = result.firstIndex(where: { Schema.element($0, type, element) == name }) {
                    if !type.isSet { result[place] = merge(result[place], item, element) }
                } else {
                    result.append(item)
                }
            }
            return .array(result)
        default: return config
        }
    }

    /// Takes the members of `set` out of `value`; what `kept` needs stays.
    private static func remove(_ set: FieldSet, from value: JSON, _ schema: Schema, _ kept: FieldSet) -> JSON {
        var result = value
        switch (schema, value) {
        case (.list(let element, let type), .array(let items)):
            return .array(
                items.compactMap { item in
                    guard let name = Schema.element(item, type, element), let inner = set.children[name] else { return item }
                    if inner.isMember, kept.children[name] == nil { return nil }
                    return remove(inner, from: item, element, kept.children[name] ?? FieldSet())
                })
        case (_, .object(let object)):
            for key in object.keys {
                guard let inner = set.children["f:\(key)"] else { continue }
                let keeps = kept.children["f:\(key)"]
                if inner.isMember, keeps == nil {
                    result[key] = .null
                } else {
                    result[key] = remove(inner, from: value[key], schema.member(key) ?? .any, keeps ?? FieldSet())
                    let isBare = result[key].object?.isEmpty == true || result[key].array?.isEmpty == true
                    if isBare, keeps == nil { result[key] = .null }
                }
            }
            return result
        default: return result
        }
    }
}
