import Model

/// What the store tells of a write. Clients hear no more than `event` of it, as they would across a network.
package struct StoreEvent: Sendable {
    package let event: WatchEvent
    /// Of a bookmark of all kinds: nil.
    package let resource: Resource?
    /// What a modified or deleted object was before.
    package let previous: JSON?

    package var kind: WatchEvent.Kind { event.kind }
    package var object: JSON { event.object }

    init(_ kind: WatchEvent.Kind, _ object: JSON, resource: Resource? = nil, previous: JSON? = nil) {
        event = WatchEvent(kind, object)
        self.resource = resource
        self.previous = previous
    }
}
