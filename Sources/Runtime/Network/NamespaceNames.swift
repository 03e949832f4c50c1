import Netlink
import Synchronization

/// Which pod has each name under /run/netns. A pod and its successor of the same name share one: it is the one's who took it last, on
/// whatever nodes they are.
package final class NamespaceNames: Sendable {
    package static let ofMachine = NamespaceNames()
    private let holders = Mutex<[String: String]>([:])

    package init() {}

    /// Binds the network namespace of `process` to the name, whosever it was.
    package func take(_ path: String, for uid: String, process: Int) throws {
        try holders.withLock { holders in
            holders[path] = uid
            NetworkNamespace.delete(path: path)
            try NetworkNamespace.bind(pid: process, path: path)
        }
    }

    /// The name is this pod's since an earlier daemon.
    package func hold(_ path: String, for uid: String) { holders.withLock { $0[path] = uid } }

    package func holder(of path: String) -> String? { holders.withLock { $0[path] } }

    /// Removes the name, unless it is another pod's.
    package func giveBack(_ path: String, of uid: String) {
        holders.withLock { holders in
            guard (holders[path] ?? uid) == uid else { return }
            holders[path] = nil
            NetworkNamespace.delete(path: path)
        }
    }
}
