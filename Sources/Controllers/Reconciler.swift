import Model

/// Brings one kind of object to the state it asks for. A reconciler gets a name, never an event: it reads what is, compares
/// with what should be, and writes the difference; running it again changes nothing. What it cannot read or write is an error, never
/// absent.
package protocol Reconciler: Sendable {
    /// What to look at, and which objects of ours a change there concerns.
    var sources: [Source] { get }
    /// Kinds that it lists besides.
    var reads: [Resource] { get }
    func reconcile(_ key: ObjectKey, _ client: any Client) async throws
    /// After what time to look again though nothing has changed; nil: not before something does.
    func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration?
}

extension Reconciler {
    package var reads: [Resource] { [] }
    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? { nil }
}

package struct Source: Sendable {
    package let resource: Resource
    /// The keys to reconcile for a changed object; relations that only the other side knows are found among what the informers know.
    let keys: @Sendable (Reflector.Change, Informers) -> [ObjectKey]

    package init(_ resource: Resource, _ keys: @escaping @Sendable (Reflector.Change, Informers) -> [ObjectKey]) {
        self.resource = resource
        self.keys = keys
    }

    /// The object itself.
    package static func own(_ resource: Resource) -> Source { Source(resource) { change, _ in [change.key] } }

    /// The object of kind `kind` that manages the changed one, or did.
    package static func owner(_ resource: Resource, kind: String) -> Source {
        Source(resource) { change, _ in change.controllers(kind).map { ObjectKey(change.key.namespace, $0) } }
    }
}

extension Reflector.Change {
    /// The names of the owners of a kind that manage the object or did.
    func controllers(_ kind: String) -> Set<String> {
        Set([old, new].compactMap { $0?.metadata.controller }.filter { $0["kind"].string == kind }.compactMap { $0["name"].string })
    }
}
