import Dispatch
import Glibc
import Host
import Model
import Runtime
import Synchronization
import Testing

/// A resolver on the loopback: by UDP it says that its answer is cut short, by TCP it says all, in two pieces.
private final class ShortResolver: Sendable {
    enum Stream { case answers, refuses, hangsUp }

    let port: UInt16
    let byTCP = Atomic<Int>(0)
    private let datagrams: Int32
    private let listener: Int32?
    private let stream: Stream
    private let isTruncated: Bool

    init(_ stream: Stream, isTruncated: Bool = true) throws {
        (self.stream, self.isTruncated) = (stream, isTruncated)
        datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        port = try Self.bind(datagrams, 0)
        guard stream != .refuses else {
            listener = nil
            return
        }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        _ = try Self.bind(listener, port)
        try #require(Glibc.listen(listener, 8) == 0)
        self.listener = listener
    }

    private static func bind(_ fd: Int32, _ port: UInt16) throws -> UInt16 {
        var address = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        (address.sin_family, address.sin_port, address.sin_addr.s_addr) = (
            sa_family_t(AF_INET), port.bigEndian, UInt32(0x7F00_0001).bigEndian
        )
        return try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try #require(Glibc.bind(fd, $0, size) == 0 && getsockname(fd, $0, &size) == 0)
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
    }

    /// Serves until `stop`, on a thread of its own.
    func serve() {
        DispatchQueue(label: "resolver").async { [self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                var from = sockaddr_storage(), size = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let n = withUnsafeMutablePointer(to: &from) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(datagrams, &buffer, buffer.count, 0, $0, &size) }
                }
                guard n > 0 else { return }
                var reply = Array(buffer[..<n])
                reply[2] |= isTruncated ? 0x82 : 0x80
                _ = withUnsafePointer(to: &from) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(datagrams, reply, reply.count, 0, $0, size) }
                }
            }
        }
        guard let listener else { return }
        DispatchQueue(label: "resolver by TCP").async { [self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                byTCP.add(1, ordering: .relaxed)
                let n = recv(connection, &buffer, buffer.count, 0)
                if n > 2, stream == .answers {
                    var reply = Array(buffer[2..<n]) + ShortResolver.rest
                    reply[2] |= 0x80
                    let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
                    _ = send(connection, Array(framed[..<100]), 100, Int32(MSG_NOSIGNAL))
                    usleep(20_000)
                    _ = send(connection, Array(framed[100...]), framed.count - 100, Int32(MSG_NOSIGNAL))
                }
                close(connection)
            }
        }
    }

    func stop() {
        shutdown(datagrams, Int32(SHUT_RDWR))
        if let listener { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    /// More than a datagram of this resolver's holds.
    static let rest = [UInt8](repeating: 7, count: 3000)
}

@Suite("Names of others: what a resolver cuts short", .timeLimit(.minutes(5)))
struct NameForwarderTests {
    /// What the forwarder says to one query, and how many connections the resolver had.
    private func ask(_ resolver: ShortResolver) async throws -> (query: [UInt8], reply: [UInt8]) {
        resolver.serve()
        defer { resolver.stop() }
        let path = "/tmp/forward-\(resolver.port).sock", port = resolver.port
        let address = try #require(Cluster.Resolver("127.0.0.1:\(port)"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await NameForwarder(path: path) { [address] }.run() }
            defer { group.cancelAll() }
            while access(path, F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
            let link = try UnixSocket.connected(to: path, .packets)
            let query: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1]
            try #require(UnixSocket.send(query, over: link.number) == query.count)
            // It comes on another thread; the resolver's patience is what ends the wait.
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let n = recv(link.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                if n > 0 { return (query, Array(buffer[..<n])) }
                try #require(n != 0 && errno == EAGAIN)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test("is asked again by TCP, and the whole answer passed on")
    func whole() async throws {
        let resolver = try ShortResolver(.answers), (query, reply) = try await ask(resolver)
        #expect(reply.count == query.count + ShortResolver.rest.count && reply.suffix(3000) == ShortResolver.rest[...])
        #expect(reply[2] & 0x82 == 0x80 && reply[..<2] == query[..<2])
        #expect(resolver.byTCP.load(ordering: .relaxed) == 1)
    }

    @Test("is passed on as it is where nothing more comes by TCP", arguments: [true, false])
    func short(hangsUp: Bool) async throws {
        let (query, reply) = try await ask(try ShortResolver(hangsUp ? .hangsUp : .refuses))
        #expect(reply.count == query.count && reply[2] & 0x82 == 0x82)
    }

    @Test("is all that is asked again")
    func complete() async throws {
        let resolver = try ShortResolver(.answers, isTruncated: false), (query, reply) = try await ask(resolver)
        #expect(reply.count == query.count && resolver.byTCP.load(ordering: .relaxed) == 0)
    }
}
