import Dispatch
import Glibc
import Host
import Model
import ShimProtocol

/// A connection to a pod's shim. Replies come as a stream that ends when the shim is gone.
///
/// Unchecked: every stored property is a constant, and a dispatch source may be used from any thread.
package final class ShimConnection: @unchecked Sendable {
    package struct Message: Sendable {
        /// What the shim says; or why that could not be understood, which ends nothing: it may be of another version.
        package let reply: Result<ShimReply, PacketError>
        /// The version that the shim speaks.
        package let version: Int
        /// A terminal that came with the reply.
        package let descriptor: SharedDescriptor?
    }

    private static let mostWaiting = 4096
    private let socket: SharedDescriptor
    private let source: any DispatchSourceRead
    package let messages: AsyncStream<Message>
    private let queue: DispatchQueue

    package init(socket path: String) throws {
        let connected = try UnixSocket.connected(to: path, .packets, "connect to the shim at")
        let number = connected.number, socket = SharedDescriptor(connected)
        self.socket = socket
        queue = DispatchQueue(label: "shim")
        source = DispatchSource.makeReadSource(fileDescriptor: number, queue: queue)
        let (messages, continuation) = AsyncStream.makeStream(of: Message.self, bufferingPolicy: .bufferingOldest(Self.mostWaiting))
        self.messages = messages
        let source = self.source
        source.setEventHandler {
            do throws(FileError) {
                var packet = try UnixSocket.receive(maximumShimPacket, over: number)
                if packet.bytes.isEmpty { return source.cancel() }
                let message = Message(packet.bytes, descriptor: SharedDescriptor(ifAny: packet.descriptors.popFirst()))
                // A reader that has stopped is a connection that has ended: the shim tells the next one what it missed.
                if case .dropped = continuation.yield(message) { source.cancel() }
            } catch {
                if error.errno != EINTR, error.errno != EAGAIN { source.cancel() }
            }
        }
        source.setCancelHandler {
            continuation.finish()
            socket.close()
        }
        source.activate()
    }

    deinit { source.cancel() }

    /// What the shim says next: nil when it is gone, an error when it says nothing for so long.
    package func next(within limit: Duration) async throws -> Message? {
        try await withThrowingTaskGroup(of: Message?.self) { group in
            defer { group.cancelAll() }
            group.addTask { [messages] in await messages.first { _ in true } }
            group.addTask {
                try await TimerClock().sleep(for: limit)
                throw ShimSilent(limit: limit)
            }
            return try await group.next() ?? nil
        }
    }

    /// Ends the connection; the stream of messages ends with it.
    package func disconnect() { source.cancel() }

    /// Sends a request, with descriptors if it takes any. The caller keeps owning them.
    package func send(_ request: ShimRequest, descriptors: [Int32] = []) throws {
        let bytes = request.json.bytes()
        if bytes.count > maximumShimPacket { return try enclose(bytes) }
        let sent = queue.sync {
            source.isCancelled ? nil : socket.borrow { UnixSocket.send(bytes, descriptors: descriptors, over: $0.number) }
        }
        guard sent == bytes.count else { throw FileError("send to", "the pod's shim", errno: EPIPE) }
    }

    /// Sends a request that is longer than a packet, in a file without a name: a container's environment may be.
    private func enclose(_ bytes: [UInt8]) throws {
        let file = try Descriptor.memoryFile()
        try file.write(bytes, to: "a long request")
        guard lseek(file.number, 0, SEEK_SET) == 0 else { throw FileError("rewind", "a long request", errno: errno) }
        try send(.enclosed, descriptors: [file.number])
    }
}

extension ShimConnection.Message {
    init(_ packet: ArraySlice<UInt8>, descriptor: SharedDescriptor?) {
        self.descriptor = descriptor
        guard let json = try? JSON(parsing: packet) else {
            (version, reply) = (0, .failure(PacketError("no JSON")))
            return
        }
        version = json.packetVersion
        do { reply = .success(try ShimReply(json)) } catch { reply = .failure(error) }
    }
}

/// A shim that lives and does not answer.
package struct ShimSilent: Error, CustomStringConvertible {
    let limit: Duration
    package var description: String { "the pod's sandbox does not answer (waited for \(limit))" }
}
