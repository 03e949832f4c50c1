import Glibc

/// A client's TCP connection: queries come one after the other, each after its length (RFC 1035, 4.2.2), and need not wait for answers.
struct Connection {
    /// Who does not read what is sent is not read from.
    private static let mostPending = 128 * 1024

    private let fd: Int32
    /// No other connection of this server's has it, as one may have the descriptor.
    let number: Int
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var isClosing = false
    private(set) var lastUse: Int

    init(_ fd: Int32, number: Int, now: Int) {
        self.fd = fd
        self.number = number
        lastUse = now
    }

    var events: Int16 {
        Int16(output.count < Self.mostPending && !isClosing ? POLLIN : 0) | Int16(output.isEmpty ? 0 : POLLOUT)
    }

    /// Whether somebody still waits for what is to be sent.
    var isOver: Bool { isClosing && output.isEmpty }

    /// Reads and answers what has come. false: the connection is over.
    mutating func receive(now: Int, _ answer: ([UInt8]) -> [UInt8]?) -> Bool {
        lastUse = now
        var buffer = [UInt8](repeating: 0, count: 16384)
        let n = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if n < 0 { return errno == EAGAIN || errno == EINTR }
        // A client may have said all that it has to, and read on.
        if n == 0 { isClosing = true }
        input += buffer[..<max(0, n)]
        var start = 0
        while input.count - start >= 2, case let size = Int(input[start]) << 8 | Int(input[start + 1]), input.count - start >= size + 2 {
            if let reply = answer(Array(input[start + 2..<start + 2 + size])) { put(reply) }
            start += size + 2
        }
        input.removeFirst(start)
        return send(now: now) && !isOver
    }

    /// Adds an answer to what is to be sent.
    mutating func put(_ reply: [UInt8]) {
        output.append(UInt8(reply.count >> 8 & 255))
        output.append(UInt8(reply.count & 255))
        output += reply
    }

    /// Sends what the client takes. false: the connection is over.
    mutating func send(now: Int) -> Bool {
        while !output.isEmpty {
            let n = Glibc.send(fd, output, output.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            if n < 0 { return errno == EAGAIN || errno == EINTR }
            output.removeFirst(n)
            lastUse = now
        }
        return true
    }
}
