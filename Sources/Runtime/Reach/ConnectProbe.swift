import CSandbox
import Glibc
import Host
import Model
import Netlink

/// Knocks as a program would: TCP and UDP connections and echo requests from network namespaces, and what comes back.
package struct ConnectProbe: Sendable {
    package enum Answer: String, Sendable, Hashable {
        /// A connection, or a reply.
        case answered
        /// Somebody says that there is nobody.
        case refused
        case unreachable
        case silence
    }

    package struct Knock: Sendable {
        /// nil: where this process is, which takes no privilege.
        package let namespace: String?
        package let address: IPAddress
        /// 1 and 58: an echo request.
        package let proto: UInt8
        package let port: UInt16
        /// An answer is waited for.
        package let isExpected: Bool

        package init(namespace: String?, address: IPAddress, proto: UInt8, port: UInt16, isExpected: Bool) {
            (self.namespace, self.address, self.proto, self.port, self.isExpected) = (namespace, address, proto, port, isExpected)
        }
    }

    package struct Result: Sendable, Hashable {
        package let answer: Answer
        /// The hops that an echo reply has left.
        package var ttl: Int?

        package init(answer: Answer, ttl: Int? = nil) { (self.answer, self.ttl) = (answer, ttl) }
    }

    private static let icmp: UInt8 = 1, icmpv6: UInt8 = 58, tcp: UInt8 = 6, udp: UInt8 = 17
    /// How long it is listened for what nobody expects, and for what should come, in seconds: nothing on the way takes milliseconds.
    private static let grace = 0.2, patience = 0.8

    /// All at once; the results in the order of the knocks.
    package static func run(_ knocks: [Knock]) async throws -> [Result] {
        try await SmallProgram.blocking { try Run(knocks).results() }
    }

    /// One round of knocks, and its sockets.
    private final class Run {
        private let knocks: [Knock]
        private var sockets = DescriptorList()
        private var found: [Result?]

        init(_ knocks: [Knock]) throws {
            self.knocks = knocks
            found = Array(repeating: nil, count: knocks.count)
            for (index, knock) in knocks.enumerated() {
                let socket = try ConnectProbe.socket(for: knock)
                send(index, knock, socket.number)
                sockets.append(socket)
            }
        }

        private func send(_ index: Int, _ knock: Knock, _ fd: Int32) {
            let connected = SocketAddress(knock.address, port: Int(knock.isEcho ? 0 : knock.port)).withPointer { connect(fd, $0, $1) }
            if connected != 0, errno != EINPROGRESS {
                found[index] = Result(answer: Run.answer(errno))
            } else if knock.isEcho {
                let bytes = ConnectProbe.echo(knock, UInt16(truncatingIfNeeded: index))
                if Glibc.send(fd, bytes, bytes.count, 0) < 0 { found[index] = Result(answer: Run.answer(errno)) }
            } else if knock.proto == ConnectProbe.udp {
                if Glibc.send(fd, "minik", 5, 0) < 0 { found[index] = Result(answer: Run.answer(errno)) }
            }
        }

        func results() throws -> [Result] {
            let start = ConnectProbe.now()
            var quietSince = start
            while ConnectProbe.now() - start < ConnectProbe.patience {
                let open = knocks.indices.filter { found[$0] == nil }
                if open.isEmpty { break }
                if open.contains(where: { knocks[$0].isExpected }) {
                    quietSince = ConnectProbe.now()
                } else if ConnectProbe.now() - max(quietSince, start) > ConnectProbe.grace {
                    break
                }
                listen(open)
            }
            return found.map { $0 ?? Result(answer: .silence) }
        }

        private func listen(_ open: [Int]) {
            var polls = open.map { index in
                pollfd(fd: sockets.numbers[index], events: Int16(knocks[index].proto == ConnectProbe.tcp ? POLLOUT : POLLIN), revents: 0)
            }
            guard poll(&polls, nfds_t(polls.count), 20) > 0 else { return }
            for (index, ready) in zip(open, polls) where ready.revents != 0 { hear(index) }
        }

        private func hear(_ index: Int) {
            let fd = sockets.numbers[index], knock = knocks[index]
            var problem: Int32 = 0, length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &length)
            if problem != 0 {
                found[index] = Result(answer: Run.answer(problem))
            } else if knock.proto == ConnectProbe.tcp {
                found[index] = Result(answer: .answered)
            } else {
                var buffer = [UInt8](repeating: 0, count: 2048)
                let n = recv(fd, &buffer, buffer.count, 0)
                if n < 0 {
                    if errno != EAGAIN { found[index] = Result(answer: Run.answer(errno)) }
                } else if !knock.isEcho {
                    found[index] = Result(answer: .answered)
                } else if let ttl = ConnectProbe.ttl(of: Array(buffer[..<n]), knock, UInt16(truncatingIfNeeded: index)) {
                    found[index] = Result(answer: .answered, ttl: ttl)
                }
            }
        }

        private static func answer(_ problem: Int32) -> Answer {
            switch problem {
            case ECONNREFUSED, ECONNRESET: .refused
            case ENETUNREACH, EHOSTUNREACH: .unreachable
            // EPERM, too: a rule dropped it where it was sent.
            default: .silence
            }
        }
    }

    private static func socket(for knock: Knock) throws -> Descriptor {
        let kind = knock.isEcho ? SOCK_RAW : knock.proto == udp ? SOCK_DGRAM : SOCK_STREAM
        let flags = Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard let namespace = knock.namespace else {
            let fd = Glibc.socket(knock.address.family.number, flags, knock.isEcho ? Int32(knock.proto) : 0)
            return try Descriptor(fd, "open a socket for", knock.address.description)
        }
        let home = try NetworkNamespace(path: namespace)
        let fd = sandbox_socket(home.descriptor, knock.address.family.number, flags, knock.isEcho ? Int32(knock.proto) : 0)
        return try Descriptor(fd, "open a socket in", namespace)
    }

    // MARK: Echo (RFC 792, RFC 4443)

    private static let identifier: UInt16 = 0x6D6B

    private static func echo(_ knock: Knock, _ number: UInt16) -> [UInt8] {
        let words = [identifier, number].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let head: [UInt8] = [knock.proto == icmp ? 8 : 128, 0]
        var sum = (UInt32(head[0]) << 8) + UInt32(identifier) + UInt32(number)
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        // Of ICMPv6 the kernel makes the sum.
        let check = knock.proto == icmp ? ~UInt16(sum) : 0
        return head + [UInt8(check >> 8), UInt8(check & 255)] + words
    }

    /// nil: it is another message. IPv6 shows no header: its reply has no hops to tell.
    private static func ttl(of packet: [UInt8], _ knock: Knock, _ number: UInt16) -> Int? {
        let start = knock.proto == icmp ? Int((packet.first ?? 0) & 15) * 4 : 0
        guard packet.count >= start + 8 else { return nil }
        let body = packet[start...], reply: UInt8 = knock.proto == icmp ? 0 : 129
        let words = Array(body.dropFirst(4).prefix(4)), wanted = [identifier, number].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        guard body.first == reply, words == wanted else { return nil }
        return knock.proto == icmp ? Int(packet[8]) : 0
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

extension ConnectProbe.Knock {
    fileprivate var isEcho: Bool { proto == 1 || proto == 58 }
}
