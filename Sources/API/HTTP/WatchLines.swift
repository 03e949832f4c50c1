import Model
import Synchronization

/// The lines of late events, encoded once for all who watch: what waits for readers that do not read is the same bytes for each.
final class WatchLines: Sendable {
    struct Key: Hashable {
        let resource: Resource
        let type: WatchEvent.Kind
        let uid: String?
        let version: String?
    }

    private struct State {
        var lines: [Key: [UInt8]] = [:]
        var order: [Key] = []
        var size = 0
    }

    private static let room = 2 << 20
    private let state = Mutex(State())

    /// Lets go of all lines: who watches has been told by now, and one who has not yet costs an encoding.
    func forget() {
        state.withLock { $0 = State() }
    }

    func line(_ key: Key, _ encode: () -> [UInt8]) -> [UInt8] {
        guard key.version != nil else { return encode() }
        if let line = state.withLock({ $0.lines[key] }) { return line }
        // No longer than it is: an array that was put together has room for as much again.
        let line = encode().withUnsafeBytes { Array($0) }
        return state.withLock { state in
            if let known = state.lines[key] { return known }
            state.lines[key] = line
            state.order.append(key)
            state.size += line.count
            while state.size > Self.room, state.order.count > 1 {
                state.size -= state.lines.removeValue(forKey: state.order.removeFirst())?.count ?? 0
            }
            return line
        }
    }
}
