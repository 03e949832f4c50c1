import Model

/// A merge that knows the lists of a kind: elements are recognised by their merge key, and directives say what a plain merge cannot.
/// (kubernetes/community, contributors/devel/sig-api-machinery/strategic-merge-patch.md)
package enum StrategicMergePatch {
    private static let order = "$setElementOrder/", removal = "$deleteFromPrimitiveList/", directive = "$patch", retain = "$retainKeys"

    package static func apply(_ patch: JSON, to document: JSON, _ schema: Schema) throws -> JSON {
        guard patch.object != nil else {
            throw StatusError.badRequest("cannot unmarshal \(patch.typeName) into Go value of type map[string]interface {}")
        }
        return try merge(document, patch, schema)
    }

    private static func merge(_ live: JSON, _ patch: JSON, _ schema: Schema) throws -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var result = JSONMembers(live.object ?? JSONObject())
        switch patch[directive].string {
        case "replace":
            var whole = patch
            whole[directive] = .null
            return whole
        case "delete": return .emptyObject
        case "merge", nil: break
        case let other?: throw StatusError.badRequest("unrecognized $patch directive: \(other)")
        }
        if let kept = patch[retain].array {
            let kept = Set(kept)
            for key in live.object?.keys ?? [] where !kept.contains(.string(key)) { result[key] = nil }
        }
        let given = JSONMembers(changes)
        for (key, value) in changes where !key.hasPrefix("$") {
            let field = schema.member(key) ?? .any
            if value.isNull {
                result[key] = nil
            } else if case .list(let element, let type) = field, let items = value.array {
                result[key] = .array(
                    try mergeList(
                        result[key]?.items ?? [], items, element, type, order: given[order + key]?.array,
                        removed: given[removal + key]?.items ?? []))
            } else if value.object != nil {
                result[key] = try merge(result[key] ?? .null, value, field)
            } else {
                result[key] = value
            }
        }
        // A directive may stand without the list it speaks of.
        for (key, value) in changes where key.hasPrefix("$") {
            for prefix in [order, removal] where key.hasPrefix(prefix) {
                let name = String(key.dropFirst(prefix.count))
                guard given[name] == nil, case .list(let element, let type)? = schema.member(name), live[name].array != nil else {
                    continue
                }
                result[name] = .array(
                    try mergeList(
                        result[name]?.items ?? [], [], element, type, order: prefix == order ? value.array : nil,
                        removed: prefix == removal ? value.items : []))
            }
        }
        return .object(result.object)
    }

    /// Elements that one merge key may mean: ports are as many as there are protocols.
    private static let mostAlike = 64

    private static func mergeList(
        _ live: [JSON], _ patch: [JSON], _ element: Schema, _ type: Schema.ListType, order: [JSON]?, removed: [JSON]
    ) throws -> [JSON] {
        guard let key = type.mergeKey else {
            guard type.mergesValues else { return patch }
            let gone = Set(removed), kept = live.filter { !gone.contains($0) }, known = Set(kept)
            return sorted(kept + patch.filter { !known.contains($0) }, live, by: order ?? patch, identity: { $0 })
        }
        if patch.contains(where: { $0[directive].string == "replace" }) { return patch.filter { $0[directive].isNull } }
        var result: [JSON?] = live
        var places: [JSON: [Int]] = [:]
        for (place, item) in live.enumerated() { places[item[key], default: []].append(place) }
        for item in patch {
            guard !item[key].isNull else { throw StatusError.badRequest("map: map[] does not contain declared merge key: \(key)") }
            // Ports with one number and two protocols are two ports.
            let alike = places[item[key]] ?? []
            guard alike.count <= mostAlike else {
                throw StatusError.badRequest("more than \(mostAlike) elements of a list have the \(key) \(item[key].text())")
            }
            let place = alike.first { place in result[place].map { isSame($0, item, type, key) } ?? false }
            if item[directive].string == "delete" {
                if let place { result[place] = nil }
            } else if let place, let old = result[place] {
                result[place] = try merge(old, item, element)
            } else {
                result.append(try merge(.null, item, element))
                places[item[key], default: []].append(result.count - 1)
            }
        }
        return sorted(result.compactMap { $0 }, live, by: order ?? patch.filter { $0[directive].isNull }.map { $0[key] }) { $0[key] }
    }

    private static func isSame(_ a: JSON, _ b: JSON, _ type: Schema.ListType, _ key: String) -> Bool {
        type.mapKeys.allSatisfy { $0 == key || a[$0].isNull || b[$0].isNull || a[$0] == b[$0] }
    }

    /// In the order wished for; what that does not name keeps its place before what it stood before.
    private static func sorted(_ items: [JSON], _ live: [JSON], by order: [JSON], identity: (JSON) -> JSON) -> [JSON] {
        var ranks: [JSON: Int] = [:], places: [JSON: Int] = [:]
        for (rank, wish) in order.enumerated() {
            for id in [wish] + (wish.object?.values ?? []) where ranks[id] == nil { ranks[id] = rank }
        }
        for (place, item) in live.enumerated() where places[identity(item)] == nil { places[identity(item)] = place }
        func rank(_ item: JSON) -> Int? { ranks[identity(item)] }
        func place(_ item: JSON) -> Int? { places[identity(item)] }
        var named = items.compactMap { item in rank(item).map { (item, $0) } }.sorted { $0.1 < $1.1 }.map(\.0)[...]
        var others = items.filter { rank($0) == nil }[...]
        var result: [JSON] = []
        while let other = others.first, let next = named.first {
            if let a = place(other), let b = place(next), a < b {
                result.append(others.removeFirst())
            } else {
                result.append(named.removeFirst())
            }
        }
        return result + named + others
    }
}
