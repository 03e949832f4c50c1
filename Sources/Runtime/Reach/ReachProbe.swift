import CSandbox
import Glibc
import Host
import Model
import Netlink

/// Sends real packets from network namespaces and sees where they arrive.
package struct ReachProbe: Sendable {
    /// A packet and the network namespace that it leaves from.
    package struct Sending: Sendable {
        package let namespace: String
        package let packet: ProbePacket
        /// A neighbour that the packet is handed to, where the namespace has no route to its destination.
        package let via: IPAddress?

        package init(namespace: String, packet: ProbePacket, via: IPAddress? = nil) {
            self.namespace = namespace
            self.packet = packet
            self.via = via
        }
    }

    /// A packet as it came in.
    package struct Arrival: Sendable, Hashable {
        package let hops: Int
        /// Whom it says to be from: translation on the way shows.
        package let source: IPAddress
    }

    /// Who listens: a name and the path of a network namespace.
    private let listeners: [(name: String, namespace: String)]

    package init(listeners: [(name: String, namespace: String)]) { self.listeners = listeners }

    /// Sends everything and tells, by token, the listeners that saw it come in, and how it was then. Waits until all of `expected`
    /// have been seen and a moment longer for what nobody expects, at most `patience` seconds.
    package func run(_ sendings: [Sending], expected: Set<UInt32>, patience: Double = 1) async throws -> [UInt32: [String: Arrival]] {
        let listeners = listeners
        return try await SmallProgram.blocking { try Self.run(sendings, listeners, expected, patience) }
    }

    /// Sends one packet, and does not look where it goes.
    package static func send(_ sending: Sending) throws {
        let home = try NetworkNamespace(path: sending.namespace), packet = sending.packet
        let fd = sandbox_socket(
            home.descriptor, packet.destination.family.number, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
        let socket = try Descriptor(fd, "open a socket in", sending.namespace)
        let problem = send(packet, to: sending.via ?? packet.destination, on: socket.number)
        if wantsRoom.contains(problem) { throw Unsent(count: 1, first: packet, errno: problem) }
    }

    private static func run(
        _ sendings: [Sending], _ listeners: [(name: String, namespace: String)], _ expected: Set<UInt32>, _ patience: Double
    ) throws -> [UInt32: [String: Arrival]] {
        var sockets = DescriptorList()
        func socket(_ namespace: String, _ domain: Int32, _ type: Int32, _ proto: Int32) throws -> Int32 {
            let home = try NetworkNamespace(path: namespace)
            let fd = sandbox_socket(home.descriptor, domain, type | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), proto)
            sockets.append(try Descriptor(fd, "open a socket in", namespace))
            return fd
        }
        let ears = try listeners.flatMap { listener in
            try Set(sendings.map(\.packet.destination.family)).map { family -> (name: String, fd: Int32) in
                let fd = try socket(listener.namespace, AF_PACKET, Int32(SOCK_DGRAM.rawValue), etherType(family))
                var size: Int32 = 4 << 20
                setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
                return (listener.name, fd)
            }
        }
        var mouths: [Place: Int32] = [:]
        var wanted = Set(sendings.map(\.packet.token)), missing = expected, arrivals: [UInt32: [String: Arrival]] = [:]
        func listen(milliseconds: Int32) {
            var polls = ears.map { pollfd(fd: $0.fd, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), milliseconds) > 0 else { return }
            for (ear, ready) in zip(ears, polls) where ready.revents != 0 {
                drain(ear.fd) { token, arrival in
                    guard wanted.contains(token) else { return }
                    arrivals[token, default: [:]][ear.name] = arrival
                    missing.remove(token)
                }
            }
        }
        /// Those that did not leave for want of room, and why.
        func send(_ sendings: [Sending]) throws -> [(sending: Sending, errno: Int32)] {
            var stayed: [(sending: Sending, errno: Int32)] = []
            for (index, sending) in sendings.enumerated() {
                let place = Place(namespace: sending.namespace, family: sending.packet.destination.family)
                let fd = try mouths[place] ?? socket(place.namespace, place.family.number, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_RAW))
                mouths[place] = fd
                let problem = Self.send(sending.packet, to: sending.via ?? sending.packet.destination, on: fd)
                if Self.wantsRoom.contains(problem) { stayed.append((sending, problem)) }
                if index % 32 == 31 { listen(milliseconds: 0) }
            }
            return stayed
        }
        var stayed = try send(sendings)
        for _ in 0..<Self.attempts where !stayed.isEmpty {
            listen(milliseconds: 200)
            stayed = try send(stayed.map(\.sending))
        }
        if let first = stayed.first { throw Unsent(count: stayed.count, first: first.sending.packet, errno: first.errno) }
        let start = now(), grace = 0.06
        var quietSince = start
        while now() - start < patience {
            if !missing.isEmpty { quietSince = now() } else if now() - quietSince > grace { break }
            listen(milliseconds: 10)
        }
        wanted = []
        return arrivals
    }

    /// Where packets of a family leave from.
    private struct Place: Hashable {
        let namespace: String
        let family: IPFamily
    }

    /// ETH_P_IP, ETH_P_IPV6
    private static func etherType(_ family: IPFamily) -> Int32 { Int32(UInt16(family == .ipv4 ? 0x0800 : 0x86DD).bigEndian) }

    /// The kernel routes by `next`, and sends the packet as it is.
    private static func send(_ packet: ProbePacket, to next: IPAddress, on fd: Int32) -> Int32 {
        let bytes = packet.bytes
        // No route is an answer too: nothing arrives.
        return SocketAddress(next).withPointer { sendto(fd, bytes, bytes.count, 0, $0, $1) } < 0 ? errno : 0
    }

    /// A full queue, or a full table of neighbours, which answers IPv6 with EINVAL (ip6_finish_output2): nothing was sent, and nothing is
    /// known.
    private static let wantsRoom: Set<Int32> = [EAGAIN, ENOBUFS, ENOMEM, EINVAL]
    private static let attempts = 5

    /// Packets that never left say nothing of their way.
    private struct Unsent: Error, CustomStringConvertible {
        let count: Int
        let first: ProbePacket
        let errno: Int32

        var description: String {
            "\(count) packets could not be sent, the first from \(first.source) to \(first.destination): \(String(cString: strerror(errno))). "
                + "The machine's table of neighbours may be full: net.\(first.destination.family == .ipv4 ? "ipv4" : "ipv6").neigh.default.gc_thresh3 "
                + "limits all network namespaces together; or ask about fewer pods"
        }
    }

    /// Reads what came in; what goes out of the namespace is not an arrival.
    private static func drain(_ fd: Int32, _ found: (UInt32, Arrival) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let outgoing: UInt8 = 4  // PACKET_OUTGOING
        while true {
            // struct sockaddr_ll (packet(7)), which Swift's Glibc does not have: its packet type stands at byte 10.
            var from = [UInt8](repeating: 0, count: 20)
            var length = socklen_t(from.count)
            let n = from.withUnsafeMutableBytes {
                recvfrom(fd, &buffer, buffer.count, 0, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
            }
            guard n > 0 else { return }
            if from[10] == outgoing { continue }
            let packet = Array(buffer[..<n])
            if let token = ProbePacket.token(in: packet), let source = ProbePacket.source(in: packet) {
                found(token, Arrival(hops: ProbePacket.hops(in: packet), source: source))
            }
        }
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
