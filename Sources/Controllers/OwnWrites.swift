import Model
import Synchronization

/// What a reconciler has written last of each object: hearing of that tells it nothing that it does not know.
final class OwnWrites: Sendable {
    private struct Place: Hashable {
        let resource: Resource
        let key: ObjectKey
    }

    private let revisions = Mutex<[Place: Int]>([:])

    func note(_ resource: Resource, _ written: JSON) {
        revisions.withLock { $0[Place(resource: resource, key: written.metadata.key)] = written.metadata.revision }
    }

    /// Whether a change is nothing but the last write that was noted. One that is heard of before it was noted counts as somebody else's,
    /// which costs a look too many.
    func contain(_ resource: Resource, _ change: Reflector.Change) -> Bool {
        let place = Place(resource: resource, key: change.key)
        return revisions.withLock { revisions in
            guard let noted = revisions[place] else { return false }
            guard let heard = change.new?.metadata.revision else {
                revisions[place] = nil
                return false
            }
            if heard >= noted { revisions[place] = nil }
            return heard == noted
        }
    }
}
