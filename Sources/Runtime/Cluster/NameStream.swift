import Glibc

/// A query that goes by TCP, and what has come of its answer: each message has its length before it (RFC 1035, 4.2.2).
struct NameStream {
    enum Outcome {
        case waits
        case answer([UInt8])
        case ended
    }

    /// What is still to be sent.
    private var unsent: ArraySlice<UInt8>
    private var received: [UInt8] = []

    init(_ query: [UInt8]) { unsent = ([UInt8(query.count >> 8), UInt8(query.count & 255)] + query)[...] }

    /// What to wait for; a connection that is being made can be written to once it stands.
    var events: Int16 { Int16(unsent.isEmpty ? POLLIN : POLLOUT) }

    /// Sends and receives what goes without waiting.
    mutating func advance(_ fd: Int32) -> Outcome {
        while !unsent.isEmpty {
            let n = unsent.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) }
            if n < 0 { return Self.waits(errno) ? .waits : .ended }
            unsent = unsent.dropFirst(n)
        }
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            if received.count >= 2 {
                let length = Int(received[0]) << 8 | Int(received[1])
                if received.count >= 2 + length { return .answer(Array(received[2..<2 + length])) }
            }
            let n = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if n == 0 { return .ended }
            if n < 0 { return Self.waits(errno) ? .waits : .ended }
            received += buffer[..<n]
        }
    }

    private static func waits(_ code: Int32) -> Bool { code == EAGAIN || code == EINTR || code == EINPROGRESS }
}
