import NIOCore

/// Writes to a connection, no faster than its other side reads.
struct ConnectionWriter: Sendable {
    /// What is handed on at once.
    static let piece = 32 * 1024
    /// Pieces of this size wait until they are in the socket, smaller ones only until there is room: room is told of late.
    private static let large = 4 * 1024

    let writer: NIOAsyncChannelOutboundWriter<ConnectionOutput>
    let channel: any Channel

    func write(_ part: ConnectionOutput) async throws {
        let size =
            switch part {
            case .body(let bytes), .bytes(let bytes): bytes.readableBytes
            case .frame(let frame): frame.data.readableBytes
            default: 0
            }
        if size >= Self.large { try await channel.writeAndFlush(part).get() } else { try await writer.write(part) }
    }

    /// Waits until all has gone: who closes next would lose what is still queued.
    func end() async throws { try await channel.writeAndFlush(ConnectionOutput.end).get() }
}
