/// An object whose members are looked up and changed by the many: by hash where it is large, so that work on all of them stays
/// in proportion to their number.
package struct JSONMembers {
    private static let small = 16
    private var keys: [String]
    /// nil: taken away.
    private var values: [JSON?]
    private var places: [String: Int]?

    package init(_ object: JSONObject = JSONObject()) {
        keys = object.keys
        values = object.values
        if keys.count > Self.small { index() }
    }

    package var object: JSONObject {
        let kept = values.indices.filter { values[$0] != nil }
        return JSONObject(uniqueKeys: kept.map { keys[$0] }, values: kept.compactMap { values[$0] })
    }

    package subscript(key: String) -> JSON? {
        get { place(key).flatMap { values[$0] } }
        set {
            if let place = place(key) {
                values[place] = newValue
                // Who comes back comes last.
                if newValue == nil { forget(key, place) }
            } else if let newValue {
                keys.append(key)
                values.append(newValue)
                if places != nil { places?[key] = keys.count - 1 } else if keys.count > Self.small { index() }
            }
        }
    }

    /// Takes a value out, so that it can be changed without a copy; its place stays.
    package mutating func take(_ key: String) -> JSON? {
        guard let place = place(key), let value = values[place] else { return nil }
        values[place] = .null
        return value
    }

    private func place(_ key: String) -> Int? { if let places { places[key] } else { keys.firstIndex(of: key) } }

    private mutating func forget(_ key: String, _ place: Int) {
        if places != nil {
            places?[key] = nil
        } else {
            keys.remove(at: place)
            values.remove(at: place)
        }
    }

    private mutating func index() {
        var places: [String: Int] = [:]
        places.reserveCapacity(keys.count)
        for (place, key) in keys.enumerated() where values[place] != nil { places[key] = place }
        self.places = places
    }
}
