extension Dictionary {
    /// Takes a value out. A dictionary that held many and holds few gives their room back, which it never does by itself.
    @discardableResult
    package mutating func drop(_ key: Key) -> Value? {
        let old = removeValue(forKey: key)
        guard capacity > 64, count < capacity / 8 else { return old }
        var rest = Dictionary(minimumCapacity: count)
        for (key, value) in self { rest[key] = value }
        self = rest
        return old
    }
}
