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

    package var isNull: Bool { if case .null = self { true } else { false } }
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
            var object = taken()
            object[key] = newValue.isNull ? nil : newValue
            self = .object(object)
        }
        // What is deep below is changed in place: by a getter and a setter each object on the way would be copied.
        _modify {
            var object = taken()
            var (value, place) = object.take(key)
            defer {
                object.putBack(value.isNull ? nil : value, key, place)
                self = .object(object)
            }
            yield &value
        }
    }

    /// The object, and null instead of it here: who has the only reference edits in place.
    private mutating func taken() -> JSONObject {
        let object = self.object ?? JSONObject()
        self = .null
        return object
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
        case .object(let object): object.reduce(56) { $0 + 16 + $1.0.footprint + $1.1.footprint }
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
    package typealias Member = (key: String, value: JSON)
    package private(set) var members: [Member]

    package init() { members = [] }

    /// Members whose keys the caller knows to be distinct.
    package init(uniqueKeys keys: [String], values: [JSON]) { members = zip(keys, values).map { ($0, $1) } }
    package init(uniqueMembers members: [Member]) { self.members = members }

    package var isEmpty: Bool { members.isEmpty }
    package var count: Int { members.count }
    package var keys: [String] { members.map(\.key) }
    package var values: [JSON] { members.map(\.value) }

    private func place(of key: String) -> Int? { members.firstIndex { $0.key == key } }

    package subscript(key: String) -> JSON? {
        get { place(of: key).map { members[$0].value } }
        set { putBack(newValue, key, place(of: key)) }
    }

    /// A member's value, out of its place, which it keeps until `putBack`; null and nil when there is none.
    fileprivate mutating func take(_ key: String) -> (value: JSON, place: Int?) {
        guard let place = place(of: key) else { return (.null, nil) }
        var value = JSON.null
        swap(&value, &members[place].value)
        return (value, place)
    }

    /// nil: the member goes.
    fileprivate mutating func putBack(_ value: JSON?, _ key: String, _ place: Int?) {
        if let place {
            if let value { members[place].value = value } else { members.remove(at: place) }
        } else if let value {
            members.append((key, value))
        }
    }

    /// A member that is null is as good as none.
    package static func == (a: JSONObject, b: JSONObject) -> Bool {
        let both = zip(a.members, b.members)
        if a.count == b.count, both.allSatisfy({ $0.key == $1.key }) { return both.allSatisfy { $0.value == $1.value } }
        func said(_ object: JSONObject) -> Int { object.members.count { !$0.value.isNull } }
        guard said(a) == said(b) else { return false }
        let other = JSONMembers(b)
        return a.allSatisfy { key, value in value.isNull || other[key] == value }
    }

    package func hash(into hasher: inout Hasher) {
        // Order does not count for equality, so members are combined commutatively.
        var sum = 0
        for (key, value) in self where !value.isNull {
            var member = Hasher()
            member.combine(key)
            member.combine(value)
            sum = sum &+ member.finalize()
        }
        hasher.combine(sum)
    }
}

extension JSONObject: Sequence {
    package func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
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
