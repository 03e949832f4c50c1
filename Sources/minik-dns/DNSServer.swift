import DNS
import Glibc
import Model

/// One thread, one poll loop: a UDP socket, a TCP listener and the TCP connections there are.
struct DNSServer {
    private static let mostConnections = 64

    private let recordsPath: String
    private var zone = DNSZone(DNSRecords(zone: "cluster.local", services: []))
    private var whole = stat()
    private var serial = 0
    /// How far the changes since the whole have been read.
    private var read = 0
    private var udp: Int32 = -1
    private var tcp: Int32 = -1
    private var connections: [Int32: [UInt8]] = [:]

    init(recordsPath: String) { self.recordsPath = recordsPath }

    mutating func listen(port: UInt16) -> Bool {
        func open(_ type: Int32) -> Int32 {
            let fd = socket(AF_INET, type, 0)
            var on: Int32 = 1
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
            var address = sockaddr_in(
                sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian, sin_addr: in_addr(s_addr: 0), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)
            )
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            return bound == 0 ? fd : -1
        }
        udp = open(Int32(SOCK_DGRAM.rawValue))
        tcp = open(Int32(SOCK_STREAM.rawValue))
        return udp >= 0 && tcp >= 0 && Glibc.listen(tcp, 64) == 0
    }

    mutating func run() {
        while true {
            var fds = ([udp, tcp] + connections.keys).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&fds, nfds_t(fds.count), -1) > 0 else { continue }
            reload()
            for ready in fds where ready.revents != 0 {
                if ready.fd == udp {
                    answerDatagram()
                } else if ready.fd == tcp {
                    let fd = accept(tcp, nil, nil)
                    if fd >= 0, connections.count < Self.mostConnections { connections[fd] = [] } else if fd >= 0 { close(fd) }
                } else {
                    serve(ready.fd)
                }
            }
        }
    }

    /// Reads the whole again when it is another, and the changes that have come since.
    private mutating func reload() {
        var info = stat()
        guard stat(recordsPath, &info) == 0 else { return }
        if info.st_ino != whole.st_ino || info.st_mtim.tv_sec != whole.st_mtim.tv_sec || info.st_mtim.tv_nsec != whole.st_mtim.tv_nsec {
            guard let bytes = Self.bytes(of: recordsPath, from: 0), let json = try? JSON(parsing: bytes) else { return }
            let records = DNSRecords(json)
            (zone, whole, serial, read) = (DNSZone(records), info, records.serial, 0)
        }
        let path = (recordsPath.split(separator: "/", omittingEmptySubsequences: false).dropLast() + [Substring(DNSChange.file(serial))])
            .joined(separator: "/")
        guard stat(path, &info) == 0, info.st_size > read, let bytes = Self.bytes(of: path, from: read), let end = bytes.lastIndex(of: 0x0A)
        else { return }
        // A line without its end is still being written.
        for line in bytes[..<end].split(separator: 0x0A) {
            if let json = try? JSON(parsing: Array(line)), let change = DNSChange(json) { zone.apply(change) }
        }
        read += end + 1
    }

    private static func bytes(of path: String, from start: Int) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        guard fseek(file, start, SEEK_SET) == 0 else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let n = fread(&buffer, 1, buffer.count, file), n > 0 { bytes += buffer[..<n] }
        return bytes
    }

    private func answer(_ bytes: [UInt8], limit: (DNSQuery) -> Int) -> [UInt8]? {
        guard let query = DNSQuery(bytes) else { return nil }
        guard query.flags & 0x7800 == 0 else { return query.encode(DNSAnswer(code: .notImplemented), limit: 512) }
        return query.encode(zone.resolve(query.question), limit: limit(query))
    }

    private func answerDatagram() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &peer) { peer in
            peer.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let n = recvfrom(udp, &buffer, buffer.count, 0, peer, &length)
                guard n > 0, let reply = answer(Array(buffer[..<n]), limit: { min($0.udpSize, 1232) }) else { return }
                _ = sendto(udp, reply, reply.count, 0, peer, length)
            }
        }
    }

    /// A TCP message is preceded by its length (RFC 1035, section 4.2.2).
    private mutating func serve(_ fd: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let n = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard n > 0 else {
            close(fd)
            connections[fd] = nil
            return
        }
        var pending = (connections[fd] ?? []) + buffer[..<n]
        while pending.count >= 2, case let size = Int(pending[0]) << 8 | Int(pending[1]), pending.count >= size + 2 {
            if let reply = answer(Array(pending[2..<size + 2]), limit: { _ in 65535 }) {
                let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
                _ = send(fd, framed, framed.count, Int32(MSG_NOSIGNAL))
            }
            pending.removeFirst(size + 2)
        }
        connections[fd] = pending
    }
}
