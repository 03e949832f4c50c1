import CHost
import Glibc

/// Unix sockets by their path, and the descriptors that travel over them.
package enum UnixSocket {
    package enum Kind: Sendable {
        /// Messages over a connection.
        case packets
        case datagrams

        fileprivate var type: Int32 {
            switch self {
            case .packets: Int32(SOCK_SEQPACKET.rawValue)
            case .datagrams: Int32(SOCK_DGRAM.rawValue)
            }
        }
    }

    package static func listening(at path: String, _ kind: Kind) throws(FileError) -> Descriptor {
        try Descriptor(host_unix_socket(path, kind.type, 1), "listen on", path)
    }

    /// `operation`: what to call it to people.
    package static func connected(to path: String, _ kind: Kind, _ operation: String = "connect to") throws(FileError) -> Descriptor {
        try Descriptor(host_unix_socket(path, kind.type, 0), operation, path)
    }

    /// Lets the next one in who waits at a socket that listens.
    package static func accept(_ listener: Int32) throws(FileError) -> Descriptor {
        try Descriptor(host_accept(listener), "accept", "a connection")
    }

    /// Sends one message, and descriptors with it that stay the caller's: how many bytes, or -1 and errno.
    package static func send(_ bytes: [UInt8], descriptors: [Int32] = [], over socket: Int32) -> Int {
        host_send(socket, bytes, bytes.count, descriptors, descriptors.count)
    }

    /// What came as one message.
    package struct Message: ~Copyable {
        package let bytes: ArraySlice<UInt8>
        package var descriptors: DescriptorList

        package mutating func takeDescriptors() -> DescriptorList {
            var taken = DescriptorList()
            swap(&taken, &descriptors)
            return taken
        }
    }

    /// Receives one of at most `size` bytes and three descriptors; nothing of it at the end, and an error where there is none yet.
    package static func receive(_ size: Int, over socket: Int32) throws(FileError) -> Message {
        var buffer = [UInt8](repeating: 0, count: size)
        var descriptors: [Int32] = [-1, -1, -1]
        var count = 0
        let n = host_receive(socket, &buffer, buffer.count, &descriptors, descriptors.count, &count)
        guard n >= 0 else { throw FileError("receive", "a message", errno: errno) }
        return Message(bytes: buffer[..<n], descriptors: DescriptorList(owning: Array(descriptors[..<count])))
    }
}
