import Model

/// A journal that is asked on a thread of its own: a slow disk keeps waiting who writes, or reads what lies there alone, and nobody else.
actor JournalQueue {
    private let executor = QueueExecutor("journal")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let journal: any Journal

    init(_ journal: any Journal) { self.journal = journal }

    func get(_ resource: Resource, _ key: ObjectKey) throws -> JSON? { try journal.get(resource, key) }
    func all(_ resource: Resource) throws -> [ObjectKey: JSON] { try journal.all(resource) }
    func keys(_ resource: Resource) throws -> [ObjectKey] { try journal.keys(resource) }

    func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws {
        try journal.put(resource, key, object, revision: revision)
    }

    /// False when the key is taken: nothing is written.
    func create(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws -> Bool {
        guard try journal.get(resource, key) == nil else { return false }
        try journal.put(resource, key, object, revision: revision)
        return true
    }

    func releaseMemory() { journal.releaseMemory() }

    func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws { try journal.remove(resource, key, revision: revision) }
}
