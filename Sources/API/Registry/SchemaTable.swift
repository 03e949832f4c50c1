import Model
import Synchronization

/// The types of the Kubernetes API, read from the tables in Types/.
///
/// A line without indentation opens a type. Each line below it is a field: its name, its number in protobuf, its type, and
/// - `required`, `default=JSON` (`null`: Go prints it, though nobody wrote it), `atomic` (server-side apply
///   owns it whole; of a list whose elements it tells apart, each of them),
/// - `held` (Go holds the struct itself, or prints the list when it is empty: it is there though nobody wrote it),
/// - `ordered` (messages name an enumeration's values as they stand here; else sorted),
/// - `go=T` (how Go calls its kind of string),
/// - `gated` (of a feature that is off, and not taken: as upstream's strategies drop it),
/// - `unjudged` (what must be there, and which values, is the kind's validation to say),
/// - `key=F` (a list whose elements are recognised by F), `merge=F` and `map=F,G` where strategic merge and server-side apply
///   differ in that, `merge` (a strategic merge adds values), `set`, `retainKeys`.
///
/// Types are `string`, `string|A|B` (an enumeration), `int32`, `int64`, `bool`, `double`, `bytes`, `time`, `microTime`,
/// `quantity`, `intOrString`, `any`, `schema` (`schemaOrList`, `schemaOrFlag`), `[T]`, `{T}` (a map from strings), or a type's
/// name, with its group before a colon when that is another. A `?` behind a scalar: Go holds a pointer, so zero differs from unset.
/// A field named `+` is an embedded struct.
package enum SchemaTable {
    private static let groups: [String: (text: [String], prefix: String)] = [
        "core": ([podTypes, volumeTypes, persistentVolumeTypes, coreTypes], "io.k8s.api.core.v1."),
        "meta": ([metaTypes], "io.k8s.apimachinery.pkg.apis.meta.v1."),
        "apps": ([appsTypes], "io.k8s.api.apps.v1."), "batch": ([batchTypes], "io.k8s.api.batch.v1."),
        "networking": ([networkingTypes], "io.k8s.api.networking.v1."), "discovery": ([discoveryTypes], "io.k8s.api.discovery.v1."),
        "events": ([eventsTypes], "io.k8s.api.events.v1."), "policy": ([policyTypes], "io.k8s.api.policy.v1."),
        "coordination": ([coordinationTypes], "io.k8s.api.coordination.v1."), "rbac": ([rbacTypes], "io.k8s.api.rbac.v1."),
        "authorization": ([authorizationTypes], "io.k8s.api.authorization.v1."),
        "authentication": ([authenticationTypes], "io.k8s.api.authentication.v1."),
        "autoscaling": ([autoscalingTypes], "io.k8s.api.autoscaling.v1."),
        "node": ([nodeTypes], "io.k8s.api.node.v1."), "scheduling": ([schedulingTypes], "io.k8s.api.scheduling.v1."),
        "certificates": ([certificateTypes], "io.k8s.api.certificates.v1."),
        "storage": ([storageTypes], "io.k8s.api.storage.v1."),
        "crd": ([crdTypes], "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."),
        "admission": ([admissionTypes], "io.k8s.api.admissionregistration.v1."),
        "oldcrd": ([oldDefinitionTypes], "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1beta1."),
        "oldnetworking": ([oldIngressTypes], "io.k8s.api.networking.v1beta1."),
        "oldpolicy": ([oldPolicyTypes], "io.k8s.api.policy.v1beta1."),
    ]

    private struct State {
        /// The lines of each type, by `group:Type`.
        var lines: [String: [Substring]] = [:]
        var types: [String: ObjectSchema] = [:]
        /// What the tables say and nobody understands.
        var faults: [String] = []
    }
    private static let state = Mutex(State(lines: index()))

    private static func index() -> [String: [Substring]] {
        var result: [String: [Substring]] = [:]
        for (group, entry) in groups {
            for text in entry.text {
                var current = "", lines: [Substring] = []
                for line in text.split(separator: "\n") {
                    if line.utf8.first == 0x20 {
                        lines.append(line)
                        continue
                    }
                    if !current.isEmpty { result[current] = lines }
                    (current, lines) = ("\(group):\(line)", [])
                }
                if !current.isEmpty { result[current] = lines }
            }
        }
        return result
    }

    /// The type `core:Pod`. A name that no table holds is a defect of ours; it reads as an empty type.
    package static func type(_ name: String) -> ObjectSchema { state.withLock { read(name, &$0) } }

    /// What is wrong with the tables, every type of them read; a test asks.
    package static var faults: [String] {
        state.withLock { state in
            for name in state.lines.keys.sorted() { _ = read(name, &state) }
            return state.faults
        }
    }

    private static func read(_ name: String, _ state: inout State) -> ObjectSchema {
        if let known = state.types[name] { return known }
        let sides = name.split(separator: ":").map(String.init)
        let group = sides.first ?? "", short = sides.last ?? ""
        if state.lines[name] == nil { state.faults.append("no table holds \(name)") }
        let fields = (state.lines[name] ?? []).flatMap { line in field(line, group, &state) }
        let type = ObjectSchema(name: (groups[group]?.prefix ?? "") + short, fields: fields)
        state.types[name] = type
        return type
    }

    private static func field(_ line: Substring, _ group: String, _ state: inout State) -> [Schema.Field] {
        let words = line.split(separator: " ")
        guard words.count > 2, let number = Int(words[1]) else {
            state.faults.append("a field is a name, a number and a type, not \(line)")
            return []
        }
        if words[0] == "+" {
            return read(qualified(words[2], group), &state).fields.map { inner in
                var inner = inner
                inner.wrapper = number
                inner.wrapperName = String(words[2])
                return inner
            }
        }
        var list = Schema.ListType.atomic
        var required = false, atomic = false, retainKeys = false, isOrdered = false, showsNull = false, unjudged = false, gated = false
        var isHeld = words[2] == "meta:ObjectMeta"
        var defaultValue = JSON.null, goName: String?
        for word in words.dropFirst(3) {
            let sides = word.split(separator: "=", maxSplits: 1)
            let value = sides.count > 1 ? String(sides[1]) : ""
            switch sides[0] {
            case "required": required = true
            case "atomic": atomic = true
            case "retainKeys": retainKeys = true
            case "held": isHeld = true
            case "ordered": isOrdered = true
            case "unjudged": unjudged = true
            case "gated": gated = true
            case "go": goName = value.contains(".") ? value : "v1.\(value)"
            case "set": list.isSet = true
            case "key": (list.mergeKey, list.mapKeys) = (value, [value])
            case "merge" where value.isEmpty: list.mergesValues = true
            case "merge": list.mergeKey = value
            case "map": list.mapKeys = value.split(separator: ",").map(String.init)
            case "default" where value == "null": showsNull = true
            case "default": defaultValue = (try? JSON(parsing: value)) ?? .null
            default: state.faults.append("what is \(word) in \(line)?")
            }
        }
        let isPointer = words[2].contains("?")
        list.hasWholeElements = atomic && list.isGranular
        var shape = schema(words[2].filter { $0 != "?" }[...], group, list, &state)
        if !isOrdered { shape = shape.sortingChoices() }
        var field = Schema.Field(String(words[0]), shape, required: required, default: defaultValue)
        field.number = number
        field.isAtomic = atomic && !list.isGranular
        field.isHeld = isHeld
        field.isPointer = isPointer
        field.retainsKeys = retainKeys
        field.keepsZero = isPointer || required
        field.showsNull = showsNull
        field.isUnjudged = unjudged
        field.isGated = gated
        field.goName = goName
        return [field]
    }

    private static func qualified(_ name: Substring, _ group: String) -> String { name.contains(":") ? String(name) : "\(group):\(name)" }

    private static func schema(_ text: Substring, _ group: String, _ list: Schema.ListType, _ state: inout State) -> Schema {
        switch text.first {
        case "[": return .list(schema(text.dropFirst().dropLast(), group, .atomic, &state), list)
        case "{": return .map(schema(text.dropFirst().dropLast(), group, .atomic, &state))
        default: break
        }
        let choices = text.split(separator: "|", omittingEmptySubsequences: false)
        switch choices[0] {
        case "string": return .string(oneOf: choices.dropFirst().map(String.init))
        case "int32": return .int
        case "int64": return .int64
        case "bool": return .bool
        case "double": return .number
        case "bytes": return .bytes
        case "time": return .time(micro: false)
        case "microTime": return .time(micro: true)
        case "quantity": return .quantity
        case "intOrString": return .intOrString
        case "any": return .any
        case "schema": return .jsonSchema(.whole)
        case "schemaOrList": return .jsonSchema(.orList)
        case "schemaOrFlag": return .jsonSchema(.orFlag)
        default: return .object(read(qualified(text, group), &state))
        }
    }
}
