import Dispatch
import Glibc

/// Waits for descriptors on threads of its own, and ends every wait when the waiting task is cancelled. Not a dispatch source: with
/// those the daemon crashed in _dispatch_event_loop_drain (Swift 6.3.1) as pipes hung up.
package final class DescriptorWait: Sendable {
    private let stop: Pipe
    private let threads = DispatchQueue(label: "descriptors", attributes: .concurrent)

    package init() throws(FileError) { stop = try Pipe() }

    /// Which of `descriptors` can be read, or have ended.
    package func readable(_ descriptors: [Int32]) async throws -> Set<Int32> { try await wait(descriptors, POLLIN) }

    /// Writes to a descriptor that does not block, as it takes it. What cannot be written any more has no reader.
    package func write(_ bytes: [UInt8], to descriptor: borrowing Descriptor) async {
        var rest = bytes[...]
        while true {
            let (count, problem) = rest.withUnsafeBytes { descriptor.writeSome($0) }
            rest = rest.dropFirst(count)
            guard problem == EAGAIN else { return }
            do { _ = try await wait([descriptor.number], POLLOUT) } catch { return }
        }
    }

    private func wait(_ descriptors: [Int32], _ events: Int32) async throws -> Set<Int32> {
        let ready = await withTaskCancellationHandler {
            await withCheckedContinuation { done in
                threads.async { [stopped = stop.reading.number] in
                    var polls = (descriptors + [stopped]).map { pollfd(fd: $0, events: Int16(events), revents: 0) }
                    polls[descriptors.count].events = Int16(POLLIN)
                    while poll(&polls, nfds_t(polls.count), -1) < 0, errno == EINTR {}
                    done.resume(returning: Set(polls.dropLast().filter { $0.revents != 0 }.map(\.fd)))
                }
            }
        } onCancel: {
            _ = Glibc.write(stop.writing.number, [0], 1)
        }
        try Task.checkCancellation()
        return ready
    }
}
