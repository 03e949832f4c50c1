import DNS
import Glibc
import Model

/// One thread, one poll loop: a UDP socket, a TCP listener and its connections, and the records.
struct DNSServer {
    private static let mostConnections = 256
    /// Seconds for which a client may say nothing (RFC 7766, 6.2.3).
    private static let idle = 10

    private var records: RecordsFollower
    private var forwarder: Forwarder
    private var isForwarding: Bool
    private let datagrams: Datagrams
    private let udp: Int32
    private let tcp: Int32
    private var connections: [Int32: Connection] = [:]
    private var turn = 0, accepted = 0

    /// `address`: what to listen on; :: is every address of both families. nil: the port cannot be listened on; `errno` says why.
    init?(recordsPath: String, address: IPAddress, port: UInt16) {
        udp = Self.open(Int32(SOCK_DGRAM.rawValue), address, port)
        tcp = Self.open(Int32(SOCK_STREAM.rawValue), address, port)
        guard udp >= 0, tcp >= 0, listen(tcp, 128) == 0 else { return nil }
        datagrams = Datagrams(udp)
        records = RecordsFollower(path: recordsPath)
        forwarder = Forwarder(directory: records.directory)
        isForwarding = forwarder.isThere
    }

    private static func open(_ type: Int32, _ address: IPAddress, _ port: UInt16) -> Int32 {
        let fd = socket(address.family.number, type | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var on: Int32 = 1, room: Int32 = 1 << 20
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        // A burst of queries waits rather than gets lost.
        if type == Int32(SOCK_DGRAM.rawValue) { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size)) }
        let bound: Int32
        switch address.family {
        case .ipv4:
            var place = sockaddr_in()
            (place.sin_family, place.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
            withUnsafeMutableBytes(of: &place.sin_addr) { $0.copyBytes(from: address.bytes) }
            bound = bind(fd, place)
        case .ipv6:
            var place = sockaddr_in6(), no: Int32 = 0
            (place.sin6_family, place.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)
            withUnsafeMutableBytes(of: &place.sin6_addr) { $0.copyBytes(from: address.bytes) }
            // Whatever the machine's habit is: clients of IPv4 come by the same socket.
            setsockopt(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, socklen_t(MemoryLayout<Int32>.size))
            bound = bind(fd, place)
        }
        return bound == 0 ? fd : -1
    }

    private static func bind<Place>(_ fd: Int32, _ place: Place) -> Int32 {
        withUnsafeBytes(of: place) { bytes in
            guard let start = bytes.baseAddress else { return -1 }
            return Glibc.bind(fd, start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    mutating func run() {
        while true {
            var fds = [
                pollfd(fd: records.notifications, events: Int16(POLLIN), revents: 0), pollfd(fd: udp, events: Int16(POLLIN), revents: 0),
                pollfd(fd: tcp, events: Int16(POLLIN), revents: 0), pollfd(fd: forwarder.fd, events: Int16(POLLIN), revents: 0),
            ]
            for (fd, connection) in connections { fds.append(pollfd(fd: fd, events: connection.events, revents: 0)) }
            let isTimed = !connections.isEmpty || forwarder.isWaiting || records.notifications < 0
            guard poll(&fds, nfds_t(fds.count), isTimed ? 1000 : -1) >= 0 else { continue }
            // Before any query: who has been told that a write is done finds it.
            if fds[0].revents != 0 || records.notifications < 0 {
                records.follow()
                isForwarding = forwarder.isThere
            }
            if fds[1].revents != 0 { answerDatagrams() }
            if fds[2].revents != 0 { accept() }
            if fds[3].revents != 0 || forwarder.isWaiting { passOn() }
            for ready in fds.dropFirst(4) where ready.revents != 0 { serve(ready) }
            if isTimed { closeIdle() }
        }
    }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec
    }

    /// nil: there is none, or it comes later.
    private mutating func answer(_ bytes: [UInt8], for client: Forwarder.Client) -> [UInt8]? {
        turn &+= 1
        let isDatagram = if case .datagram = client { true } else { false }
        switch DNSReply.to(bytes, from: records.zone, isDatagram: isDatagram, turn: turn) {
        case .silence: return nil
        case .bytes(let reply): return reply
        case .elsewhere(let query, let answer):
            if isForwarding, forwarder.ask(query, answer, for: client) { return nil }
            return query.encode(answer, limit: query.limit(isDatagram: isDatagram))
        }
    }

    private mutating func answerDatagrams() {
        // Not for ever: others wait, too.
        for _ in 0..<16 { guard datagrams.answer({ answer($0, for: .datagram($1)) }) else { return } }
    }

    /// Tells clients what somebody else has answered.
    private mutating func passOn() {
        for reply in forwarder.replies() {
            switch reply.client {
            case .datagram(let peer): datagrams.send(reply.query.encode(reply.answer, limit: reply.query.limit(isDatagram: true)), to: peer)
            case .connection(let fd, let number):
                // Another client may have the descriptor by now.
                guard connections[fd]?.number == number else { continue }
                connections[fd]?.put(reply.query.encode(reply.answer, limit: reply.query.limit(isDatagram: false)))
            }
        }
    }

    // MARK: Connections

    private mutating func accept() {
        let fd = Glibc.accept(tcp, nil, nil)
        guard fd >= 0 else { return }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        // Who comes is served; who has been silent for the longest time makes room.
        if connections.count >= Self.mostConnections, let oldest = connections.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            end(oldest.key)
        }
        accepted += 1
        connections[fd] = Connection(fd, number: accepted, now: Self.now)
    }

    private mutating func serve(_ ready: pollfd) {
        // Taken out: with two owners, what it holds would be copied.
        guard var connection = connections.removeValue(forKey: ready.fd) else { return }
        let number = connection.number
        var isOpen = true
        if ready.revents & Int16(POLLOUT) != 0 { isOpen = connection.send(now: Self.now) && !connection.isOver }
        if isOpen, ready.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            isOpen = connection.receive(now: Self.now) { answer($0, for: .connection(ready.fd, number)) }
        }
        connections[ready.fd] = connection
        if !isOpen { end(ready.fd) }
    }

    private mutating func closeIdle() {
        let now = Self.now
        for fd in connections.filter({ now - $0.value.lastUse > Self.idle }).keys { end(fd) }
    }

    private mutating func end(_ fd: Int32) {
        connections[fd] = nil
        close(fd)
    }
}
