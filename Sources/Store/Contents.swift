import Model

/// The objects that are kept in memory: all but those of kinds of which there are thousands that hardly anybody reads. Those stay in the
/// journal and are read from there, as an apiserver reads events from etcd, which it keeps no watch cache for.
struct Contents {
    private var objects: [Resource: [ObjectKey: JSON]] = [:]
    /// The kinds that stay in the journal; without one there is no other place than memory.
    private let left: Set<Resource>

    /// What the journal holds.
    init(_ journal: (any Journal)?, leaving left: Set<Resource>) throws {
        self.left = journal == nil ? [] : left
        for (resource, json) in try journal?.load(except: left) ?? [] {
            let key = ObjectKey(json["metadata"]["namespace"].string ?? "", json["metadata"]["name"].string ?? "")
            objects[resource, default: [:]][key] = json
        }
    }

    func isKept(_ resource: Resource) -> Bool { !left.contains(resource) }

    func get(_ resource: Resource, _ key: ObjectKey) -> JSON? { objects[resource]?[key] }
    func all(_ resource: Resource) -> [ObjectKey: JSON] { objects[resource] ?? [:] }
    func keys(_ resource: Resource) -> [ObjectKey] { objects[resource].map { Array($0.keys) } ?? [] }

    /// The resources that may have objects.
    var resources: [Resource] { Array(Set(objects.keys).union(left)) }

    /// Takes in what the journal has been told.
    mutating func set(_ resource: Resource, _ key: ObjectKey, _ object: JSON?) {
        guard isKept(resource) else { return }
        if let object { objects[resource, default: [:]][key] = object } else { objects[resource]?.drop(key) }
    }
}
