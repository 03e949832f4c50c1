import Model

/// The objects as they stand: in memory, but for kinds of which there are thousands that hardly anybody reads. Those stay in the journal
/// and are read from there, as an apiserver reads events from etcd, which it keeps no watch cache for.
struct Contents {
    private var objects: [Resource: [ObjectKey: JSON]] = [:]
    private let journal: (any Journal)?
    private let left: Set<Resource>

    /// What the journal holds. Without one there is no other place than memory.
    init(_ journal: (any Journal)?, leaving left: Set<Resource>) throws {
        self.journal = journal
        self.left = left
        for (resource, json) in try journal?.load(except: left) ?? [] {
            let key = ObjectKey(json["metadata"]["namespace"].string ?? "", json["metadata"]["name"].string ?? "")
            objects[resource, default: [:]][key] = json
        }
    }

    private func elsewhere(_ resource: Resource) -> (any Journal)? { left.contains(resource) ? journal : nil }

    func get(_ resource: Resource, _ key: ObjectKey) throws -> JSON? {
        if let journal = elsewhere(resource) { return try journal.get(resource, key) }
        return objects[resource]?[key]
    }

    func all(_ resource: Resource) throws -> [ObjectKey: JSON] {
        if let journal = elsewhere(resource) { return try journal.all(resource) }
        return objects[resource] ?? [:]
    }

    func keys(_ resource: Resource) throws -> [ObjectKey] {
        if let journal = elsewhere(resource) { return try journal.keys(resource) }
        return objects[resource].map { Array($0.keys) } ?? []
    }

    /// The resources that may have objects.
    var resources: [Resource] { Array(Set(objects.keys).union(journal == nil ? [] : left)) }

    /// Takes in what the journal has been told.
    mutating func set(_ resource: Resource, _ key: ObjectKey, _ object: JSON?) {
        guard elsewhere(resource) == nil else { return }
        if let object { objects[resource, default: [:]][key] = object } else { objects[resource]?.drop(key) }
    }
}
