import Model

/// `kubectl apply`: what the user wrote last time and no longer writes goes, what the user writes stands, what others
/// wrote stays. Lists whose elements have a key merge element by element.
/// (kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config, "How apply calculates differences")
package enum ThreeWayMerge {
    package static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

    package static func merge(last: JSON, wanted: JSON, live: JSON, _ schema: Schema) -> JSON {
        switch (wanted, live) {
        case (.object(let fields), .object):
            var result = live
            for key in last.object?.keys ?? [] where fields[key] == nil { result[key] = .null }
            for (key, value) in fields {
                let member = schema.member(key) ?? .any
                result[key] = merge(last: last[key], wanted: value, live: live[key], member)
            }
            return result
        case (.array(let items), .array(let liveItems)):
            guard case .list(let element, let type) = schema, let key = type.mergeKey else { return wanted }
            let lastItems = last.items
            func find(_ list: [JSON], _ item: JSON) -> JSON? {
                list.first { $0[key] == item[key] && ($0["protocol"].string ?? "TCP") == (item["protocol"].string ?? "TCP") }
            }
            let merged = items.map { merge(last: find(lastItems, $0) ?? .null, wanted: $0, live: find(liveItems, $0) ?? .null, element) }
            let others = liveItems.filter { find(items, $0) == nil && find(lastItems, $0) == nil }
            return .array(merged + others)
        default: return wanted
        }
    }
}
