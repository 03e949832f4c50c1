/// A JSON document. Kubernetes objects are stored, sent and compared as this value;
/// typed views (`Pod`, `Service`, ...) read through it.
///
/// Integers keep their exactness, keys keep their order, absent and `null` differ.
package enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    package static let emptyObject = JSON.object(JSONObject())

    package var isNull: Bool { self == .null }
    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The value as an integer; a double without a fraction counts, as in Go's decoder for int-or-string fields.
    package var int: Int? {
        switch self {
        case .int(let value): value
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The member `key`, or `.null` when this is no object or has none. Setting creates objects on the way;
    /// setting `.null` removes the member.
    package subscript(key: String) -> JSON {
        get { if case .object(let object) = self { object[key] ?? .null } else { .null } }
        set {
            var object = self.object ?? JSONObject()
            self = .null  // release our reference first, so that the edit happens in place
            object[key] = newValue.isNull ? nil : newValue
            self = .object(object)
        }
    }

    package subscript(index: Int) -> JSON {
        if case .array(let items) = self, items.indices.contains(index) { items[index] } else { .null }
    }

    /// The elements of an array; nothing for anything else, as Kubernetes reads an absent list.
    package var items: [JSON] { array ?? [] }

    /// About how many bytes it takes in memory.
    package var footprint: Int {
        switch self {
        case .string(let text): 24 + text.footprint
        case .array(let items): items.reduce(56) { $0 + $1.footprint }
        case .object(let object): object.reduce(88) { $0 + 16 + $1.0.footprint + $1.1.footprint }
        default: 24
        }
    }

    /// Go's name of the JSON type, for decoder errors.
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int, .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}

/// An ordered map of members. Objects of an API are small, so a look-up scans.
package struct JSONObject: Sendable, Hashable {
    package private(set) var keys: [String]
    package private(set) var values: [JSON]

    package init() {
        keys = []
        values = []
    }

    /// Members whose keys the caller knows to be distinct.
    package init(uniqueKeys keys: [String], values: [JSON]) {
        self.keys = keys
        self.values = values
    }

    package var isEmpty: Bool { keys.isEmpty }
    package var count: Int { keys.count }

    package subscript(key: String) -> JSON? {
        get { keys.firstIndex(of: key).map { values[$0] } }
        set {
            if let index = keys.firstIndex(of: key) {
                if let newValue {
                    values[index] = newValue
                } else {
                    keys.remove(at: index)
                    values.remove(at: index)
                }
            } else if let newValue {
                keys.append(key)
                values.append(newValue)
            }
        }
    }

    package static func == (a: JSONObject, b: JSONObject) -> Bool {
        if a.keys == b.keys { return a.values == b.values }
        guard a.count == b.count else { return false }
        let other = JSONMembers(b)
        return a.allSatisfy { key, value in other[key] == value }
    }

    package func hash(into hasher: inout Hasher) {
        // Order does not count for equality, so members are combined commutatively.
        var sum = 0
        for (key, value) in self {
            var member = Hasher()
            member.combine(key)
            member.combine(value)
            sum = sum &+ member.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSONObject: Sequence {
    package func makeIterator() -> Zip2Sequence<[String], [JSON]>.Iterator { zip(keys, values).makeIterator() }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByStringInterpolation
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// Members whose value is `.null` are left out: an absent field and an unset one are the same to Kubernetes.
    package init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        for (key, value) in elements where !value.isNull { object[key] = value }
        self = .object(object)
    }

    package init(_ value: String?) { self = value.map(JSON.string) ?? .null }
    package init(_ value: Int?) { self = value.map(JSON.int) ?? .null }
    package init(_ labels: [String: String]) {
        let keys = labels.keys.sorted()
        self = .object(JSONObject(uniqueKeys: keys, values: keys.map { .string(labels[$0] ?? "") }))
    }

    /// A map of strings, as labels and annotations are; other values are passed over.
    package var stringMap: [String: String] {
        var result: [String: String] = [:]
        if case .object(let object) = self {
            for (key, value) in object { if let text = value.string { result[key] = text } }
        }
        return result
    }
}

extension String {
    /// What it takes beside itself: short ones nothing.
    fileprivate var footprint: Int { utf8.count > 15 ? utf8.count + 32 : 0 }
}
