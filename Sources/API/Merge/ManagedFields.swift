import Model

/// metadata.managedFields: who set which fields, and server-side apply, which asks that.
/// (kubernetes.io/docs/reference/using-api/server-side-apply; structured-merge-diff, merge: Updater)
struct ManagedFields {
    struct Entry: Hashable {
        var manager: String
        /// `Apply` or `Update`.
        var operation: String
        var apiVersion: String
        var subresource: String
        var time: String
        var fields = FieldSet()

        /// By which way the manager came by its fields, as conflicts tell it.
        var how: String {
            (subresource.isEmpty ? "" : " with subresource \"\(subresource)\"") + (operation == "Apply" ? "" : " using \(apiVersion)")
        }

        /// Who applies is the same whichever version they apply. (k8s.io/apimachinery/pkg/util/managedfields, BuildManagerIdentifier)
        func isSameManager(as other: Entry) -> Bool {
            manager == other.manager && operation == other.operation && subresource == other.subresource
                && (operation == "Apply" || apiVersion == other.apiVersion)
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
                        "time": $0.time.isEmpty ? .null : .string($0.time), "fieldsType": "FieldsV1", "fieldsV1": $0.fields.json,
                        "subresource": $0.subresource.isEmpty ? .null : .string($0.subresource),
                    ]
                })
    }

    /// What nobody owns: who an object is and what the server counts.
    private static let unowned = FieldSet(
        paths: [["apiVersion"], ["kind"], ["metadata"]]
            + ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"].map {
                ["metadata", $0]
            })
    private static func owned(_ set: FieldSet) -> FieldSet { set.subtracting(unowned) }

    /// Notes an update: what `manager` changed is the manager's alone from now on. `ignored`: what is not taken from who writes.
    mutating func update(_ manager: Entry, old: JSON, new: JSON, _ schema: Schema, ignored: FieldSet = FieldSet()) {
        let comparison = schema.comparison(Self.bare(old), Self.bare(new)).leavingOut(ignored)
        let changed = Self.owned(comparison.set), removed = comparison.removed
        if changed.isEmpty, removed.isEmpty { return }
        let own = entries.firstIndex { $0.isSameManager(as: manager) }
        for index in entries.indices {
            if index != own { entries[index].fields = entries[index].fields.subtracting(changed) }
            entries[index].fields = entries[index].fields.subtracting(removed)
        }
        guard !changed.isEmpty else { return }
        if let own {
            entries[own].fields = entries[own].fields.union(changed)
            entries[own].time = manager.time
        } else {
            var entry = manager
            entry.fields = changed
            entries.append(entry)
        }
        boundUpdates()
    }

    /// Notes whose an object's fields are that was made before anybody took notes: nobody's whose name is known.
    mutating func noteUnknown(_ object: JSON, _ kind: KindDefinition, time: String, _ ignored: FieldSet) {
        let manager = Entry(
            manager: "before-first-apply", operation: "Update", apiVersion: kind.resource.apiVersion, subresource: "", time: time)
        update(manager, old: .emptyObject, new: object, kind.schema, ignored: ignored)
    }

    /// Objects are compared without their notes, which are long and nobody's.
    private static func bare(_ object: JSON) -> JSON {
        var copy = object
        copy["metadata"]["managedFields"] = .null
        return copy
    }

    /// As many managers are told apart as this.
    private static let mostUpdates = 10

    /// Of too many updates the oldest become one. (k8s.io/apimachinery/pkg/util/managedfields, capManagersManager)
    private mutating func boundUpdates() {
        entries.removeAll { $0.fields.isEmpty }
        var updates = entries.filter { $0.operation == "Update" }.sorted { ($0.time, $0.manager) < ($1.time, $1.manager) }[...]
        while updates.count > Self.mostUpdates, var oldest = updates.popFirst(),
            let next = updates.firstIndex(where: { $0.apiVersion == oldest.apiVersion })
        {
            let merged = updates.remove(at: next)
            entries.removeAll { $0.isSameManager(as: oldest) || $0.isSameManager(as: merged) }
            (oldest.manager, oldest.subresource, oldest.time) = ("ancient-changes", "", merged.time)
            oldest.fields = oldest.fields.union(merged.fields)
            entries.append(oldest)
            updates.insert(oldest, at: updates.startIndex)
        }
    }

    /// Applies `config` for `manager`: the merged object, with what the manager applied before and no longer does taken out.
    /// Throws the conflicts with others' fields unless `force` takes those over.
    mutating func apply(
        _ config: JSON, _ manager: Entry, live: JSON, _ schema: Schema, force: Bool, ignored: FieldSet = FieldSet()
    ) throws -> JSON {
        let all = schema.fields(of: config).removingSubtrees(of: ignored)
        let own = entries.firstIndex { $0.isSameManager(as: manager) }
        let before = own.map { entries[$0].fields } ?? FieldSet()
        let others = entries.indices.filter { $0 != own }
        var merged = schema.applying(config, to: live) ?? live
        if !before.isEmpty { merged = Self.prune(merged, before, others.reduce(all) { $0.union(entries[$1].fields) }, schema) }
        let comparison = schema.comparison(Self.bare(live), Self.bare(merged)).leavingOut(ignored)
        let conflicts = others.compactMap { index -> (Entry, FieldSet)? in
            let contested = entries[index].fields.intersection(comparison.set)
            return contested.isEmpty ? nil : (entries[index], contested)
        }
        if !conflicts.isEmpty, !force { throw ApplyConflict(conflicts) }
        for index in others { entries[index].fields = entries[index].fields.subtracting(comparison.set).subtracting(comparison.removed) }
        var entry = manager
        entry.fields = Self.owned(all)
        // Who changes nothing keeps the time of an earlier change, if there was any.
        if merged == live { entry.time = own.map { entries[$0].time } ?? "" }
        if let own { entries[own] = entry } else { entries.append(entry) }
        return merged
    }

    /// Takes out of `merged` what its manager has given up (`before`, and not in `wanted`, what anybody now wants), unless it
    /// holds what nobody gave up.
    private static func prune(_ merged: JSON, _ before: FieldSet, _ wanted: FieldSet, _ schema: Schema) -> JSON {
        func named(_ set: FieldSet) -> FieldSet { set.withNamedMembers(schema) }
        let all = named(schema.fields(of: merged)), last = named(before)
        func rest(without gone: FieldSet) -> FieldSet { named(schema.fields(of: schema.removing(gone, from: merged))) }
        let kept = rest(without: all.subtracting(rest(without: last).union(named(wanted))))
        return schema.removing(all.subtracting(kept).intersection(last), from: merged)
    }
}
