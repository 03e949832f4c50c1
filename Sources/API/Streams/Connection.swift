import Model
import NIOCore
import NIOPosix

/// A TCP connection that was made in somebody's network namespace.
package struct Connection: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Takes over a connected socket.
    package init(taking descriptor: Int32) async throws {
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
    }

    /// Carries bytes both ways until both sides have ended, or this one has: what `input` brings goes out, what comes in goes to `output`.
    package func relay(_ input: BoundedChannel<[UInt8]>, output: @escaping ByteSink) async throws {
        try await channel.executeThenClose { incoming, outgoing in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for try await bytes in input { try await outgoing.write(ByteBuffer(bytes: bytes)) }
                    outgoing.finish()
                    return false
                }
                group.addTask {
                    for try await buffer in incoming { try await output(Array(buffer: buffer)) }
                    return true
                }
                // The end of what comes in ends it: nobody is left to answer.
                while let isOver = try await group.next(), !isOver {}
                group.cancelAll()
            }
        }
    }
}
