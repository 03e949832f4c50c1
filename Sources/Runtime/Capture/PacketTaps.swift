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

    /// The kernel lets a packet socket go when no processor looks at it any more, which takes many milliseconds: a thread waits for each of
    /// them, all at the same time. (packet_release, synchronize_net)
    package func close() {
        let open = Mutex(
            taps.withLock { taps in
                defer { taps = [] }
                return taps
            })
        let all = DispatchGroup()
        // Each goes with its last owner, who is one of the queues.
        for _ in 0..<open.withLock(\.count) { DispatchQueue(label: "close a tap").async(group: all) { _ = open.withLock { $0.popLast() } } }
        all.wait()
    }
}
