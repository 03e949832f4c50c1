/// Takes bytes, and returns when there is room for more: who sends to a slow reader waits. Throws when the reader is gone.
package typealias ByteSink = @Sendable ([UInt8]) async throws -> Void

/// Something that says all it has to say to a sink. Cancelled when the reader has left.
package typealias ByteSource = @Sendable (@escaping ByteSink) async throws -> Void

extension AsyncThrowingStream where Element: Sendable, Failure == any Error {
    /// What `source` sends, for readers that want a sequence. The source waits while the reader does, and ends with the sequence.
    package static func held(
        room: Int = 64 * 1024, cost: @escaping @Sendable (Element) -> Int,
        _ source: @escaping @Sendable (@escaping @Sendable (Element) async throws -> Void) async throws -> Void
    ) -> Self {
        let channel = BoundedChannel(room: room, cost: cost)
        let work = Task {  // ends with the sequence: its owner below cancels it
            do {
                try await source { guard await channel.send($0) else { throw CancellationError() } }
                channel.finish()
            } catch { channel.finish(throwing: error) }
        }
        let owner = TaskOwner(work)
        return AsyncThrowingStream {
            defer { _ = owner }
            return try await channel.next()
        }
    }
}

extension AsyncThrowingStream where Element == [UInt8], Failure == any Error {
    package static func held(_ source: @escaping ByteSource) -> Self { held(cost: { $0.count }) { try await source($0) } }
}

/// Cancels its task when nobody holds it any more.
private final class TaskOwner: Sendable {
    private let task: Task<Void, Never>
    init(_ task: Task<Void, Never>) { self.task = task }
    deinit { task.cancel() }
}
