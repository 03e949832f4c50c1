import Model

extension Schema {
    /// `config` laid over `live`: what holds members or named elements merges, the rest is replaced; nil is what is not there.
    /// (structured-merge-diff, typed: merge)
    func applying(_ config: JSON?, to live: JSON?, isAtomic: Bool = false) -> JSON? {
        func isBare(_ value: JSON?) -> Bool { (value?.object?.isEmpty ?? true) && (value?.array?.isEmpty ?? true) }
        guard !isAtomic, !isBare(live) || !isBare(config) else { return config ?? live }
        switch (self, live ?? .null, config ?? .null) {
        case (.list(let element, let type), _, _) where type.isGranular && Self.areLists(live, config):
            let merged = elements(config?.items ?? [], onto: live?.items ?? [], type, element)
            return merged.isEmpty ? nil : .array(merged)
        case (_, .object(let old), .object(let new)) where holdsMembers:
            var result = JSONMembers(old)
            for (key, value) in new {
                let field = declared(key)
                result[key] = (field?.schema ?? anyMember(key)).applying(value, to: result[key], isAtomic: field?.isAtomic ?? false)
            }
            return .object(result.object)
        case (_, .object, .null) where holdsMembers: return live
        default: return config ?? live
        }
    }

    private static func areLists(_ values: JSON?...) -> Bool { values.allSatisfy { $0.map { $0.isNull || $0.array != nil } ?? true } }

    /// The elements of both lists: those of `config` in its order, and between them those of `live` alone where they stood.
    private func elements(_ config: [JSON], onto live: [JSON], _ type: ListType, _ element: Schema) -> [JSON] {
        func names(_ items: [JSON]) -> [String] { items.map { Schema.element($0, type, element) ?? "" } }
        let old = names(live), new = names(config)
        let places = Dictionary(new.enumerated().map { ($1, $0) }) { first, _ in first }
        // Of elements with one name none is merged with what is applied.
        let counts = Dictionary(old.map { ($0, 1) }, uniquingKeysWith: +)
        let held = Dictionary(zip(old, live)) { first, _ in first }
        var shared = new.filter { held[$0] != nil }[...]
        var taken: Set<String> = [], result: [JSON] = []
        var l = 0, r = 0
        func take(_ name: String) {
            taken.insert(name)
            let mine = places[name].map { config[$0] }
            let theirs = counts[name] == 1 ? held[name] : nil
            let merged = type.isSet ? mine : element.applying(mine, to: theirs, isAtomic: type.hasWholeElements)
            if let merged { result.append(merged) }
            if shared.first == name { shared.removeFirst() }
        }
        while l < old.count || r < new.count {
            if l < old.count, r < new.count {
                if old[l] == new[r] {
                    take(new[r])
                    (l, r) = (l + 1, r + 1)
                    continue
                }
                if places[old[l]] != nil, let next = shared.first, next != old[l] {
                    l += 1
                    continue
                }
            }
            if l < old.count {
                if places[old[l]] == nil {
                    result.append(live[l])
                    l += 1
                    continue
                }
                if taken.contains(old[l]) { l += 1 }
            }
            if r < new.count {
                take(new[r])
                r += 1
            }
        }
        return result
    }
}
