import CSandbox
import Dispatch
import Glibc

/// Waits for descriptors on threads of its own, and ends every wait when the waiting task is cancelled. Not a dispatch source: with
/// those the daemon crashed in _dispatch_event_loop_drain (Swift 6.3.1) as pipes hung up.
package final class DescriptorWait: Sendable {
    private let stopped: Int32
    private let stopper: Int32
    private let threads = DispatchQueue(label: "descriptors", attributes: .concurrent)

    package init() throws {
        var fds: [Int32] = [-1, -1]
        let result = sandbox_pipe(&fds)
        guard result == 0 else { throw FileError("make", "a pipe", errno: -result) }
        (stopped, stopper) = (fds[0], fds[1])
    }

    deinit {
        close(stopped)
        close(stopper)
    }

    /// Which of `descriptors` can be read, or have ended.
    package func readable(_ descriptors: [Int32]) async throws -> Set<Int32> { try await wait(descriptors, POLLIN) }

    /// Writes to a descriptor that does not block, as it takes it. What cannot be written any more has no reader.
    package func write(_ bytes: [UInt8], to descriptor: Int32) async {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if n > 0 {
                rest = rest.dropFirst(n)
            } else if n < 0, errno == EAGAIN {
                do { _ = try await wait([descriptor], POLLOUT) } catch { return }
            } else if n == 0 || errno != EINTR {
                return
            }
        }
    }

    private func wait(_ descriptors: [Int32], _ events: Int32) async throws -> Set<Int32> {
        let ready = await withTaskCancellationHandler {
            await withCheckedContinuation { done in
                threads.async { [stopped] in
                    var polls = (descriptors + [stopped]).map { pollfd(fd: $0, events: Int16(events), revents: 0) }
                    polls[descriptors.count].events = Int16(POLLIN)
                    while poll(&polls, nfds_t(polls.count), -1) < 0, errno == EINTR {}
                    done.resume(returning: Set(polls.dropLast().filter { $0.revents != 0 }.map(\.fd)))
                }
            }
        } onCancel: {
            var byte: UInt8 = 0
            _ = Glibc.write(stopper, &byte, 1)
        }
        try Task.checkCancellation()
        return ready
    }
}
