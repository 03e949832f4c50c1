import CDatagrams
import Glibc

/// A UDP socket, read and written many datagrams at a time: under load most of a query's cost are the calls into the kernel.
struct Datagrams {
    private static let most = Int(DATAGRAMS_MOST), largest = 4096

    private let fd: Int32
    private let buffers: UnsafeMutablePointer<UInt8>
    private let datagrams: UnsafeMutablePointer<datagram>

    /// As long as the program runs.
    init(_ fd: Int32) {
        self.fd = fd
        buffers = .allocate(capacity: Self.most * Self.largest)
        datagrams = .allocate(capacity: Self.most)
        datagrams.initialize(repeating: datagram(), count: Self.most)
    }

    /// Answers what has come, as far as `answer` has one, and says whether there may be more.
    func answer(_ answer: (_ query: [UInt8], _ peer: sockaddr_storage) -> [UInt8]?) -> Bool {
        for index in 0..<Self.most {
            datagrams[index].bytes = buffers + index * Self.largest
            datagrams[index].length = UInt32(Self.largest)
        }
        let count = Int(datagrams_receive(fd, datagrams, Int32(Self.most)))
        guard count > 0 else { return false }
        var replies = 0
        for index in 0..<count {
            let query = Array(UnsafeBufferPointer(start: datagrams[index].bytes, count: Int(datagrams[index].length)))
            guard let reply = answer(query, datagrams[index].peer), reply.count <= Self.largest else { continue }
            // A reply takes the place of a query that has been read.
            datagrams[replies].peer = datagrams[index].peer
            datagrams[replies].peer_length = datagrams[index].peer_length
            datagrams[replies].bytes.update(from: reply, count: reply.count)
            datagrams[replies].length = UInt32(reply.count)
            replies += 1
        }
        var sent = 0
        // One that cannot be sent is lost, as datagrams may be; the next are somebody else's.
        while sent < replies { sent += max(1, Int(datagrams_send(fd, datagrams + sent, Int32(replies - sent)))) }
        return count == Self.most
    }

    /// Sends one, or loses it.
    func send(_ bytes: [UInt8], to peer: sockaddr_storage) {
        var peer = peer
        let size = peer.ss_family == sa_family_t(AF_INET) ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(fd, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, socklen_t(size))
            }
        }
    }
}
