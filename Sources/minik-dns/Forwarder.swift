import DNS
import Glibc

/// The way to somebody who knows other names: a socket beside the records, behind which the daemon asks the machine's resolvers where the
/// cluster's document says so (`spec.dns.forward`). Each packet is a message.
struct Forwarder {
    /// Who waits: a datagram's sender, or a connection by its descriptor and number.
    enum Client: Sendable {
        case datagram(sockaddr_storage)
        case connection(Int32, Int)
    }

    private let path: String
    private(set) var fd: Int32 = -1
    private var forwarding = DNSForwarding<Client>()
    /// Who was let go knows that there is nobody to ask, for a while.
    private var rests = 0

    init(directory: String) { path = "\(directory)/forward.sock" }

    /// Whether there is anybody to ask, as far as one sees from here.
    var isThere: Bool { access(path, F_OK) == 0 }
    var isWaiting: Bool { !forwarding.isEmpty }

    /// Asks. false: the answer that there is has to do.
    mutating func ask(_ query: DNSQuery, _ answer: DNSAnswer, for client: Client) -> Bool {
        if fd < 0, Self.now >= rests { connect() }
        guard fd >= 0, let message = forwarding.ask(query, answer, for: client, now: Self.now, id: { .random(in: 0 ... .max) })
        else { return false }
        // One that cannot be sent waits in vain, like one that is lost on its way.
        _ = send(fd, message, message.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        return true
    }

    /// What has come, and whose time is over.
    mutating func replies() -> [DNSForwarding<Client>.Reply] {
        var replies: [DNSForwarding<Client>.Reply] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while fd >= 0 {
            let n = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if n > 0 {
                if let reply = forwarding.receive(Array(buffer[..<n])) { replies.append(reply) }
            } else if n == 0 || (errno != EAGAIN && errno != EINTR) {
                close(fd)
                fd = -1
                rests = Self.now + 1000
                return replies + forwarding.giveUp()
            } else {
                break
            }
        }
        return replies + forwarding.expire(now: Self.now)
    }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private mutating func connect() {
        let link = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard link >= 0, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(link, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        if isConnected {
            fd = link
        } else {
            close(link)
            rests = Self.now + 1000
        }
    }
}
