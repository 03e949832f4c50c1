import CMnl
import CSandbox
import Glibc
import Host

/// Whether a device is left to reckon the checksums of what it sends, or the kernel does it before. (linux/ethtool.h)
extension NetworkNamespace {
    /// `ethtool -k DEVICE`, tx-checksumming
    package borrowing func offloadsChecksums(_ device: String) throws(NetlinkError) -> Bool {
        try ask(device, ethtool_value(cmd: UInt32(ETHTOOL_GTXCSUM), data: 0), "ethtool -k \(device)").data != 0
    }

    /// `ethtool -K DEVICE tx on`, or off
    package borrowing func setOffloadsChecksums(_ isOn: Bool, _ device: String) throws(NetlinkError) {
        let wish = ethtool_value(cmd: UInt32(ETHTOOL_STXCSUM), data: isOn ? 1 : 0)
        _ = try ask(device, wish, "ethtool -K \(device) tx \(isOn ? "on" : "off")")
    }

    private borrowing func ask(_ device: String, _ question: ethtool_value, _ operation: String) throws(NetlinkError) -> ethtool_value {
        let number = sandbox_socket(descriptor, AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard number >= 0 else { throw NetlinkError(operation, errno: -number) }
        let socket = Descriptor(owning: number)
        var value = question, request = ifreq()
        withUnsafeMutableBytes(of: &request.ifr_ifrn) { name in
            // The last byte stays zero.
            name.prefix(Int(IFNAMSIZ) - 1).copyBytes(from: device.utf8.prefix(Int(IFNAMSIZ) - 1))
        }
        let result = withUnsafeMutablePointer(to: &value) { value in
            request.ifr_ifru.ifru_data = UnsafeMutableRawPointer(value).assumingMemoryBound(to: CChar.self)
            return ioctl(socket.number, UInt(SIOCETHTOOL), &request)
        }
        guard result == 0 else { throw NetlinkError(operation, errno: errno) }
        return value
    }
}
