import Model

/// A two-way line of bytes or messages: a socket after its upgrade, or the messages of a WebSocket.
struct StreamTransport: Sendable {
    /// Ends when the other side has left.
    let incoming: BoundedChannel<[UInt8]>
    /// Throws when the other side is gone.
    let send: @Sendable ([UInt8]) async throws -> Void
}
