import Model
import Synchronization

/// Who watches, and how far it has come.
final class Watcher: Sendable {
    struct Place {
        /// What it has been given and not yet been told, the last first.
        var ready: [StoreEvent]
        /// The revision up to which it has seen everything.
        var seen: Int
        /// How many of the store's marks it has heard of.
        var marks: Int
    }

    /// nil: every resource but the excepted.
    let resource: Resource?
    let except: Set<Resource>
    let namespace: String?
    let wantsBookmarks: Bool
    let place = Mutex(Place(ready: [], seen: 0, marks: 0))

    init(resource: Resource?, except: Set<Resource> = [], namespace: String?, wantsBookmarks: Bool) {
        (self.resource, self.except, self.namespace, self.wantsBookmarks) = (resource, except, namespace, wantsBookmarks)
    }

    func wants(_ event: StoreEvent) -> Bool {
        if let resource, event.resource != resource { return false }
        if let other = event.resource, except.contains(other) { return false }
        return namespace == nil || event.object["metadata"]["namespace"].string == namespace
    }
}
