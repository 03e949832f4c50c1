import Glibc
import Host
import Model

/// Queries on their way to resolvers, each with a socket of its own: an answer has to know its port as well as its number (RFC 5452).
struct NameExchanges: ~Copyable {
    private static let mostLinks = 16, most = 256, largest = 65536
    /// Milliseconds that one resolver has.
    private static let patience = 2000

    private struct Exchange {
        let link: Int32
        let query: [UInt8]
        var servers: ArraySlice<Server>
        var deadline: Int
        /// Whom it asks now.
        var server: Server?
        /// By TCP, since the answer was cut short; and that answer, which has to do where no other comes.
        var stream: NameStream?
        var truncated: [UInt8] = []
    }

    private struct Server {
        let address: IPAddress
        let port: UInt16
    }

    private let listener: Int32
    private let stopped: Int32
    private let resolvers: @Sendable () -> [Cluster.Resolver]
    private var links = DescriptorList()
    /// One an exchange.
    private var sockets = DescriptorList()
    private var exchanges: [Int32: Exchange] = [:]

    init(listener: Int32, stopped: Int32, resolvers: @escaping @Sendable () -> [Cluster.Resolver]) {
        self.listener = listener
        self.stopped = stopped
        self.resolvers = resolvers
    }

    /// Until `stopped` can be read.
    mutating func run() {
        while true {
            var fds = ([stopped, listener] + links.numbers + sockets.numbers).map { fd in
                pollfd(fd: fd, events: exchanges[fd]?.stream?.events ?? Int16(POLLIN), revents: 0)
            }
            guard poll(&fds, nfds_t(fds.count), exchanges.isEmpty ? -1 : 200) >= 0 else { continue }
            if fds[0].revents != 0 { break }
            if fds[1].revents != 0 { accept() }
            for ready in fds.dropFirst(2) where ready.revents != 0 {
                if links.numbers.contains(ready.fd) { serve(ready.fd) } else { receive(ready.fd) }
            }
            let now = Self.now
            for (fd, exchange) in exchanges where exchange.deadline <= now { next(fd) }
        }
    }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private mutating func accept() {
        let link: Descriptor
        do { link = try UnixSocket.accept(listener) } catch { return }  // whoever it was has gone again
        // Who is let go at once knows that there is nobody to ask.
        if links.numbers.count < Self.mostLinks, !resolvers().isEmpty { links.append(link) }
    }

    private mutating func end(_ link: Int32) {
        links.close(link)
        for (fd, _) in exchanges.filter({ $0.value.link == link }) { end(exchange: fd) }
    }

    private mutating func end(exchange fd: Int32) {
        exchanges[fd] = nil
        sockets.close(fd)
    }

    // MARK: Queries and answers

    private mutating func serve(_ link: Int32) {
        var buffer = [UInt8](repeating: 0, count: Self.largest)
        let n = recv(link, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard n > 0 else { return end(link) }
        let query = Array(buffer[..<n])
        guard query.count >= 12, query[2] & 0x80 == 0 else { return }
        let servers = servers()
        guard !servers.isEmpty else { return end(link) }
        guard exchanges.count < Self.most else { return fail(query, link) }
        start(Exchange(link: link, query: query, servers: servers[...], deadline: 0))
    }

    private func servers() -> [Server] {
        resolvers().flatMap { resolver -> [Server] in
            switch resolver {
            case .address(let address, let port): [Server(address: address, port: port)]
            case .file(let path): Cluster.Resolver.servers(Files.text(path) ?? "").map { Server(address: $0, port: 53) }
            }
        }
    }

    /// Asks the first of its servers that can be asked.
    private mutating func start(_ exchange: Exchange) {
        var exchange = exchange
        while let server = exchange.servers.popFirst() {
            guard let socket = Self.link(to: server, SOCK_DGRAM) else { continue }
            let fd = socket.number
            guard send(fd, exchange.query, exchange.query.count, Int32(MSG_NOSIGNAL)) == exchange.query.count else { continue }
            sockets.append(socket)
            exchange.deadline = Self.now + Self.patience
            exchange.server = server
            exchanges[fd] = exchange
            return
        }
        fail(exchange.query, exchange.link)
    }

    private mutating func next(_ fd: Int32) {
        guard let exchange = exchanges[fd] else { return }
        end(exchange: fd)
        if exchange.truncated.isEmpty { start(exchange) } else { answer(exchange, exchange.truncated) }
    }

    private func answer(_ exchange: Exchange, _ reply: [UInt8]) {
        _ = send(exchange.link, reply, reply.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }

    /// Asks the same server by TCP, which has room for all of an answer (RFC 7766, 5).
    private mutating func startStream(_ asked: Exchange, _ truncated: [UInt8]) {
        guard let server = asked.server, let socket = Self.link(to: server, SOCK_STREAM) else { return answer(asked, truncated) }
        var exchange = asked
        (exchange.stream, exchange.truncated) = (NameStream(asked.query), truncated)
        exchange.deadline = Self.now + Self.patience
        exchanges[socket.number] = exchange
        sockets.append(socket)
    }

    private mutating func receive(_ fd: Int32) {
        guard let exchange = exchanges[fd] else { return }
        if exchange.stream != nil { return receiveStream(fd) }
        var buffer = [UInt8](repeating: 0, count: Self.largest)
        let n = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if n < 0 {
            // Nobody listens there, for example.
            if errno != EAGAIN, errno != EINTR { next(fd) }
            return
        }
        let reply = Array(buffer[..<n])
        guard Self.isReply(reply, to: exchange.query) else { return }
        end(exchange: fd)
        if reply[2] & Self.truncated != 0 { startStream(exchange, reply) } else { answer(exchange, reply) }
    }

    private mutating func receiveStream(_ fd: Int32) {
        switch exchanges[fd]?.stream?.advance(fd) {
        case .answer(let reply):
            guard let exchange = exchanges[fd], Self.isReply(reply, to: exchange.query) else { return next(fd) }
            end(exchange: fd)
            answer(exchange, reply)
        case .ended: next(fd)
        case .waits, nil: break
        }
    }

    private static let truncated: UInt8 = 0x02

    private static func isReply(_ reply: [UInt8], to query: [UInt8]) -> Bool {
        reply.count >= 12 && reply[..<2] == query[..<2] && reply[2] & 0x80 != 0
    }

    /// SERVFAIL, so that nobody waits for what will not come.
    private func fail(_ query: [UInt8], _ link: Int32) {
        var reply = query
        reply[2] |= 0x80
        reply[3] = 0x82
        _ = send(link, reply, reply.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }

    /// A stream's may still be on its way.
    private static func link(to server: Server, _ type: __socket_type) -> Descriptor? {
        let isIPv4 = server.address.family == .ipv4, bytes = server.address.bytes
        let fd = socket(
            server.address.family.number, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { return nil }
        let link = Descriptor(owning: fd)
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { raw in
            if isIPv4 {
                var address = sockaddr_in()
                (address.sin_family, address.sin_port) = (sa_family_t(AF_INET), server.port.bigEndian)
                withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
                withUnsafeBytes(of: address) { raw.copyMemory(from: $0) }
            } else {
                var address = sockaddr_in6()
                (address.sin6_family, address.sin6_port) = (sa_family_t(AF_INET6), server.port.bigEndian)
                withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
                withUnsafeBytes(of: address) { raw.copyMemory(from: $0) }
            }
        }
        let size = isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        let isConnected = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, socklen_t(size)) == 0 || errno == EINPROGRESS }
        }
        guard isConnected else { return nil }
        return consume link
    }
}
