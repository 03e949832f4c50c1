import Synchronization

/// The bytes of requests that are on their way or being worked on. What they may be together is bounded, and so is one user's part.
package final class RequestBytes: Sendable {
    private let most: Int
    private let held = Mutex<(all: Int, users: [String: Int])>((0, [:]))

    package init(most: Int = 32 << 20) { self.most = most }

    /// False: there is no room now.
    package func take(_ count: Int, _ user: String) -> Bool {
        held.withLock { held in
            let own = held.users[user] ?? 0
            guard held.all + count <= most, own + count <= most / 2 else { return false }
            held.all += count
            held.users[user] = own + count
            return true
        }
    }

    package func give(_ count: Int, _ user: String) {
        guard count > 0 else { return }
        held.withLock { held in
            held.all -= count
            let rest = (held.users[user] ?? 0) - count
            held.users[user] = rest > 0 ? rest : nil
        }
    }
}
