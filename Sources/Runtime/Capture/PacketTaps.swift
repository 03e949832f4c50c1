import Dispatch
import Glibc
import Synchronization

/// Taps of several namespaces, told apart by their numbers.
package final class PacketTaps: Sendable {
    private let taps: Mutex<[PacketTap]>

    package init(_ places: [(namespace: String, device: Int32?)], snap: Int = 65535, buffer: Int32 = 4 << 20) throws {
        taps = Mutex(try places.map { try PacketTap(namespace: $0.namespace, device: $0.device, snap: snap, buffer: buffer) })
        try FrameStamps.awaitOn()
    }

    /// What has come; waits for the first of it so long.
    package func read(milliseconds: Int32) -> [(place: Int, frame: CapturedFrame)] {
        let taps = self.taps.withLock { $0 }
        var polls = taps.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        guard poll(&polls, nfds_t(polls.count), milliseconds) > 0 else { return [] }
        return polls.enumerated().flatMap { place, ready in
            ready.revents == 0 ? [] : taps[place].read().map { (place, $0) }
        }
    }

    /// Frames of each place that found no room since the last question.
    package func dropped() -> [Int] { taps.withLock { $0.map { $0.dropped() } } }

    /// The kernel lets a packet socket go when no processor looks at it any more: of many it waits for all at once.
    package func close() {
        let open = Mutex(
            taps.withLock { taps in
                defer { taps = [] }
                return taps
            })
        // Each goes with its last owner, who is one of the threads.
        DispatchQueue.concurrentPerform(iterations: open.withLock(\.count)) { _ in _ = open.withLock { $0.popLast() } }
    }
}
