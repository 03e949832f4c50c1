import CSandbox
import Glibc
import Host
import Model
import Netlink

/// A frame that a device of a network namespace took in or sent out.
package struct CapturedFrame: Sendable, Hashable {
    /// Nanoseconds since 1970, by the kernel's clock.
    package let time: UInt64
    package let device: Int32
    package let isOutgoing: Bool
    /// For another station's MAC address: flooded by a bridge, or on its way through one.
    package let isForOther: Bool
    /// As many bytes as were asked for.
    package let bytes: [UInt8]
    /// How long it was.
    package let length: Int

    package init(time: UInt64, device: Int32, isOutgoing: Bool, isForOther: Bool = false, bytes: [UInt8], length: Int) {
        (self.time, self.device, self.isOutgoing) = (time, device, isOutgoing)
        (self.isForOther, self.bytes, self.length) = (isForOther, bytes, length)
    }
}

/// Sees all frames of one network namespace, or of one device in it. packet(7)
package final class PacketTap: Sendable {
    private let socket: Descriptor
    private let snap: Int

    /// Borrowed, to wait for it.
    package var descriptor: Int32 { socket.number }

    /// `buffer`: how much the kernel keeps of what is not read yet; what comes beyond is dropped, and counted.
    package init(namespace path: String, device: Int32? = nil, snap: Int = 65535, buffer: Int32 = 4 << 20) throws {
        let home = try NetworkNamespace(path: path)
        // Protocol 0: nothing comes before the socket has its device.
        let fd = sandbox_socket(
            home.descriptor, AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        socket = try Descriptor(fd, "open a packet socket in", path)
        self.snap = snap
        var size = buffer, on: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, socklen_t(MemoryLayout<Int32>.size))
        // struct sockaddr_ll, which Swift's Glibc does not have: family, protocol, device; the rest is zero.
        var address = [UInt8](repeating: 0, count: 20)
        address.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt16(AF_PACKET), toByteOffset: 0, as: UInt16.self)
            $0.storeBytes(of: UInt16(Self.everyProtocol).bigEndian, toByteOffset: 2, as: UInt16.self)
            $0.storeBytes(of: device ?? 0, toByteOffset: 4, as: Int32.self)
        }
        let bound = address.withUnsafeBytes { bytes in
            bytes.baseAddress.map { bind(fd, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) }
        }
        guard bound == 0 else { throw FileError("capture in", path, errno: errno) }
    }

    /// ETH_P_ALL
    private static let everyProtocol = 3
    /// ARPHRD_LOOPBACK
    private static let loopback: UInt16 = 772
    /// PACKET_OTHERHOST, PACKET_OUTGOING
    private static let other: UInt8 = 3, outgoing: UInt8 = 4

    /// Everything that has come so far, at most `most` frames.
    package func read(atMost most: Int = 4096) -> [CapturedFrame] {
        var frames: [CapturedFrame] = []
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: snap + 512, alignment: 16)
        defer { buffer.deallocate() }
        let control = buffer + (snap + 15) / 16 * 16
        for _ in 0..<most {
            var from = [UInt8](repeating: 0, count: 20), part = iovec(iov_base: buffer, iov_len: snap), message = msghdr()
            let count = from.withUnsafeMutableBytes { from in
                withUnsafeMutablePointer(to: &part) { part in
                    message.msg_name = from.baseAddress
                    message.msg_namelen = socklen_t(from.count)
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control
                    message.msg_controllen = 256
                    return recvmsg(descriptor, &message, Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT))
                }
            }
            guard count >= 0 else { break }
            let isOutgoing = from[10] == Self.outgoing
            // The loopback's frames are told when they leave and when they come; once is enough.
            if isOutgoing, UInt16(from[8]) | UInt16(from[9]) << 8 == Self.loopback { continue }
            frames.append(
                CapturedFrame(
                    time: Self.time(control, Int(message.msg_controllen)),
                    device: from.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: Int32.self) }, isOutgoing: isOutgoing,
                    isForOther: from[10] == Self.other, bytes: Array(UnsafeRawBufferPointer(start: buffer, count: min(count, snap))),
                    length: count))
        }
        return frames
    }

    /// The time in a control message: its length, level and type, then a timespec.
    static func time(_ control: UnsafeMutableRawPointer, _ length: Int) -> UInt64 {
        let scmTimestamp = 35
        if length >= 32, control.load(fromByteOffset: 8, as: Int32.self) == SOL_SOCKET,
            Int(control.load(fromByteOffset: 12, as: Int32.self)) == scmTimestamp
        {
            let time = control.load(fromByteOffset: 16, as: timespec.self)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
        return now()
    }

    static func now() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    /// Frames that came since the last question and found no room.
    package func dropped() -> Int {
        let packetStatistics: Int32 = 6, solPacket: Int32 = 263
        var counts: (UInt32, UInt32) = (0, 0), size = socklen_t(8)
        guard getsockopt(descriptor, solPacket, packetStatistics, &counts, &size) == 0 else { return 0 }
        return Int(counts.1)
    }
}
