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

    let resource: Resource
    let namespace: String?
    let wantsBookmarks: Bool
    let place = Mutex(Place(ready: [], seen: 0, marks: 0))

    init(resource: Resource, namespace: String?, wantsBookmarks: Bool) {
        (self.resource, self.namespace, self.wantsBookmarks) = (resource, namespace, wantsBookmarks)
    }

    func wants(_ event: StoreEvent) -> Bool {
        guard event.resource == resource else { return false }
        return namespace == nil || event.object["metadata"]["namespace"].string == namespace
    }
}
