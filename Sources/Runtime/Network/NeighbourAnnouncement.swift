import CSandbox
import Glibc
import Host
import Model
import Netlink

/// The packet by which a machine tells its neighbours that an address is at its link now, so that those who know it elsewhere do not wait
/// until they forget: a gratuitous ARP request (RFC 5227, 3), or an unsolicited neighbour advertisement (RFC 4861, 7.2.6).
struct NeighbourAnnouncement {
    let address: IPAddress
    let link: MACAddress

    /// What follows the link's own header.
    private var bytes: [UInt8] {
        switch address.family {
        case .ipv4: [0, 1, 8, 0, 6, 4, 0, 1] + link.bytes + address.bytes + [UInt8](repeating: 0, count: 6) + address.bytes
        case .ipv6: header + message(checksum)
        }
    }

    private static let allNodes: [UInt8] = [0xFF, 0x02] + [UInt8](repeating: 0, count: 13) + [1]
    private static let icmp6: UInt8 = 58

    private var header: [UInt8] { [0x60, 0, 0, 0, 0, UInt8(message(0).count), Self.icmp6, 255] + address.bytes + Self.allNodes }

    /// Type 136, with the override flag, and the link's address as an option.
    private func message(_ sum: UInt16) -> [UInt8] {
        [136, 0, UInt8(sum >> 8), UInt8(sum & 255), 0x20, 0, 0, 0] + address.bytes + [2, 1] + link.bytes
    }

    private var checksum: UInt16 {
        let message = message(0), whole = address.bytes + Self.allNodes + [0, 0, 0, UInt8(message.count), 0, 0, 0, Self.icmp6] + message
        var sum: UInt32 = 0
        for (index, byte) in whole.enumerated() { sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        return ~UInt16(sum)
    }

    /// Says it on the link `index` of the network namespace at `path`.
    func send(on index: Int32, namespace path: String) throws {
        let home = try NetworkNamespace(path: path)
        let type = UInt16(address.family == .ipv4 ? 0x0806 : 0x86DD).bigEndian  // ETH_P_ARP, ETH_P_IPV6
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = try Descriptor(sandbox_socket(home.descriptor, AF_PACKET, kind, Int32(type)), "open a packet socket in", path)
        // struct sockaddr_ll (packet(7)), which Swift's Glibc does not have: family, protocol, link, kinds, the neighbours' address.
        var place = [UInt8](repeating: 0, count: 20)
        place.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: UInt16(AF_PACKET), toByteOffset: 0, as: UInt16.self)
            bytes.storeBytes(of: type, toByteOffset: 2, as: UInt16.self)
            bytes.storeBytes(of: index, toByteOffset: 4, as: Int32.self)
        }
        place[11] = 6
        let everybody: [UInt8] = address.family == .ipv4 ? [UInt8](repeating: 0xFF, count: 6) : [0x33, 0x33, 0, 0, 0, 1]
        place.replaceSubrange(12..<18, with: everybody)
        let packet = bytes, fd = socket.number
        let sent = place.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) { sendto(fd, packet, packet.count, 0, $0.baseAddress, socklen_t(raw.count)) }
        }
        guard sent == packet.count else { throw FileError("announce \(address) in", path, errno: errno) }
    }
}
