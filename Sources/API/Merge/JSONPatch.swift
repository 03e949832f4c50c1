import Model

/// RFC 6902: a list of operations on a document.
package enum JSONPatch {
    /// As upstream: operations of a patch, and the bytes that its copies may add. (k8s.io/apiserver/pkg/endpoints/handlers/patch.go)
    private static let mostOperations = 10_000, largestCopies = 3 * 1024 * 1024
    /// What a document may nest, as what can be parsed; and the members and elements that all operations may pass by.
    private static let deepest = 512, mostWork = 1 << 25

    package static func apply(_ patch: JSON, to document: JSON) throws -> JSON {
        guard let operations = patch.array else {
            throw StatusError.badRequest("json: cannot unmarshal \(patch.typeName) into Go value of type jsonpatch.Patch")
        }
        guard operations.count <= mostOperations else {
            throw StatusError(
                413, .requestEntityTooLarge, "The allowed maximum operations in a JSON patch is \(mostOperations), got \(operations.count)")
        }
        var copied = 0, work = 0
        if let other = operations.first(where: { $0.object == nil }) {
            throw StatusError.badRequest(
                "error decoding patch: json: cannot unmarshal \(other.typeName) into Go value of type handlers.jsonPatchOp")
        }
        return try operations.reduce(document) { document, operation in
            let name = operation["op"].string ?? "", path = operation["path"].string ?? ""
            work += reach(document, path)
            if name == "copy" || name == "move" {
                let from = operation["from"].string ?? ""
                work += reach(document, from)
                let value = try find(document, tokens(from), operation)
                let size = value.size
                if name == "copy" { copied += size } else { work += size / 16 }
                guard copied <= largestCopies else {
                    throw refused(
                        "Unable to complete the copy, the accumulated size increase of copy is \(copied), exceeding the limit \(largestCopies)"
                    )
                }
                try check(path, value, operation)
            } else {
                try check(path, operation["value"], operation)
            }
            guard work <= mostWork else {
                throw StatusError(413, .requestEntityTooLarge, "the operations of the patch pass by too many values of the object")
            }
            return try step(document, operation)
        }
    }

    /// A value may stand only as deep as what follows, the server's own steps among it, can walk.
    private static func check(_ path: String, _ value: JSON, _ operation: JSON) throws {
        let place = path.utf8.count { $0 == UInt8(ascii: "/") }
        guard place + value.depth <= deepest else { throw refused("exceeded max depth") }
    }

    /// The members and elements of all that is on the way of a pointer: a change makes each anew.
    private static func reach(_ document: JSON, _ pointer: String) -> Int {
        var value = document, sum = 0
        for token in pointer.split(separator: "/").prefix(deepest) {
            sum += value.count
            let token = String(token)
            value = value.array != nil ? value[Int(token) ?? -1] : value[token]
        }
        return sum + 1
    }

    private static func step(_ document: JSON, _ operation: JSON) throws -> JSON {
        let name = operation["op"].string ?? ""
        guard let path = operation["path"].string else { throw failed(operation, "no path") }
        let target = tokens(path)
        switch name {
        case "add":
            return try change(document, target[...], operation) { parent, token in
                try insert(try value(of: operation), into: &parent, at: token, operation)
            }
        case "replace":
            return try change(document, target[...], operation) { parent, token in
                guard exists(parent, token) else { throw failed(operation, "missing value") }
                try set(try value(of: operation), in: &parent, at: token, operation)
            }
        case "remove":
            return try change(document, target[...], operation) { parent, token in try remove(from: &parent, at: token, operation) }
        case "move", "copy":
            let source = tokens(operation["from"].string ?? "")
            let moved = try find(document, source, operation)
            let rest =
                name == "copy"
                ? document
                : try change(document, source[...], operation) { parent, token in try remove(from: &parent, at: token, operation) }
            return try change(rest, target[...], operation) { parent, token in try insert(moved, into: &parent, at: token, operation) }
        case "test":
            // What is not there is null.
            let parent = try find(document, target.dropLast(), operation)
            let value = target.last.map { exists(parent, $0) ? member(parent, $0) : parent.array == nil ? .null : nil } ?? parent
            guard let value, value == operation["value"] else { throw failed(operation, "testing value failed") }
            return document
        default: throw failed(operation, "unexpected kind")
        }
    }

    /// What could be applied, and is too much.
    private static func refused(_ why: String) -> StatusError {
        StatusError(422, .invalid, "the server rejected our request due to an error in our request: \(why)", details: .emptyObject)
    }

    /// Upstream's answer to whatever does not apply; `why` is for who reads this.
    private static func failed(_ operation: JSON, _ why: String) -> StatusError {
        StatusError(422, .invalid, "the server rejected our request due to an error in our request", details: .emptyObject)
    }

    /// The members of operations that no operation has, in the decoder's words.
    package static func unknownFields(_ patch: JSON) -> [String] {
        let known: Set<String> = ["op", "path", "from", "value"]
        return patch.items.enumerated().flatMap { index, operation in
            (operation.object?.keys ?? []).filter { !known.contains($0) }.map { "json patch unknown field \"[\(index)].\($0)\"" }
        }
    }

    private static func value(of operation: JSON) throws -> JSON {
        guard operation.object?["value"] != nil else {
            throw StatusError.badRequest("\(operation["op"].string ?? "") operation without a value")
        }
        return operation["value"]
    }

    /// A JSON pointer's parts (RFC 6901).
    private static func tokens(_ pointer: String) -> [String] {
        // What stands before the first slash should be nothing, and counts as that.
        pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { String($0.replacing("~1", with: "/").replacing("~0", with: "~")) }
    }

    /// A place in a list; below zero from its end. (upstream: evanphx/json-patch, SupportNegativeIndices)
    private static func index(_ token: String, _ count: Int) -> Int? { Int(token).map { $0 < 0 ? $0 + count : $0 } }

    private static func member(_ value: JSON, _ token: String) -> JSON {
        value.array.map { value[index(token, $0.count) ?? -1] } ?? value[token]
    }

    private static func find(_ document: JSON, _ path: some Sequence<String>, _ operation: JSON) throws -> JSON {
        try path.reduce(document) { value, token in
            guard exists(value, token) else { throw failed(operation, "missing value") }
            return member(value, token)
        }
    }

    private static func exists(_ value: JSON, _ token: String) -> Bool {
        switch value {
        case .object(let object): object[token] != nil
        case .array(let items): index(token, items.count).map(items.indices.contains) ?? false
        default: false
        }
    }

    /// Rebuilds the document with the parent of `path` changed.
    private static func change(_ document: JSON, _ path: ArraySlice<String>, _ operation: JSON, _ edit: (inout JSON, String) throws -> Void)
        throws -> JSON
    {
        guard let first = path.first else {
            // The whole document: an object around it lends it a name.
            var holder: JSON = .object(JSONObject(uniqueKeys: [""], values: [document]))
            try edit(&holder, "")
            return holder[""]
        }
        var copy = document
        if path.count == 1 {
            try edit(&copy, first)
            return copy
        }
        guard exists(document, first) else { throw failed(operation, "missing path") }
        if var items = document.array, let index = index(first, items.count) {
            items[index] = try change(items[index], path.dropFirst(), operation, edit)
            return .array(items)
        }
        var object = document.object ?? JSONObject()
        object[first] = try change(document[first], path.dropFirst(), operation, edit)
        return .object(object)
    }

    private static func insert(_ value: JSON, into parent: inout JSON, at token: String, _ operation: JSON) throws {
        guard var items = parent.array else { return try set(value, in: &parent, at: token, operation) }
        let index = token == "-" ? items.count : index(token, items.count + 1) ?? -1
        guard (0...items.count).contains(index) else { throw failed(operation, "index out of bounds") }
        items.insert(value, at: index)
        parent = .array(items)
    }

    private static func set(_ value: JSON, in parent: inout JSON, at token: String, _ operation: JSON) throws {
        if var items = parent.array, let index = index(token, items.count), items.indices.contains(index) {
            items[index] = value
            parent = .array(items)
        } else if var object = parent.object {
            object[token] = value
            parent = .object(object)
        } else {
            throw failed(operation, "the parent holds no members")
        }
    }

    private static func remove(from parent: inout JSON, at token: String, _ operation: JSON) throws {
        guard exists(parent, token) else { throw failed(operation, "Unable to remove nonexistent key: \(token)") }
        if var items = parent.array, let index = index(token, items.count) {
            items.remove(at: index)
            parent = .array(items)
        } else if var object = parent.object {
            object[token] = nil
            parent = .object(object)
        }
    }
}

extension JSON {
    fileprivate var count: Int {
        switch self {
        case .object(let object): object.count
        case .array(let items): items.count
        default: 0
        }
    }

    /// How deep arrays and objects stand in each other.
    fileprivate var depth: Int {
        switch self {
        case .object(let object): 1 + (object.values.lazy.map(\.depth).max() ?? 0)
        case .array(let items): 1 + (items.lazy.map(\.depth).max() ?? 0)
        default: 0
        }
    }

    /// About as many bytes as the text has.
    fileprivate var size: Int {
        switch self {
        case .object(let object): object.reduce(2) { $0 + $1.0.utf8.count + 4 + $1.1.size }
        case .array(let items): items.reduce(2) { $0 + 1 + $1.size }
        case .string(let text): text.utf8.count + 2
        default: 8
        }
    }
}
