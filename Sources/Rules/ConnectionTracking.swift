import Model

/// A connection that the kernel tracks in one network namespace.
package struct TrackedConnection: Hashable, Sendable {
    /// The first packet as policies see it: from its source to where it really goes, after translation.
    package let packet: Packet
    /// The first packet as it was sent, before translation.
    package let sent: Packet
    /// What names it to the kernel.
    package let tuple: [UInt8]

    package init(packet: Packet, sent: Packet, tuple: [UInt8]) {
        self.packet = packet
        self.sent = sent
        self.tuple = tuple
    }
}

/// Somewhere connections are tracked: a kernel, or a test's memory.
package protocol ConnectionTracking: Sendable {
    func connections() async throws -> [TrackedConnection]
    /// Forgets connections: their next packet is judged anew. One that is gone already is no error.
    func forget(_ connections: [TrackedConnection]) async throws
}
