import CMnl
import Glibc

/// A netlink request under construction, in a buffer of its own.
package struct NetlinkMessage: ~Copyable {
    private let buffer: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<nlmsghdr>
    private static let size = 8192

    /// A request of `type` that starts with `fixed` (ifinfomsg, rtmsg, ...). It is acknowledged, or answered by a dump.
    package init<Fixed: BitwiseCopyable>(_ type: some BinaryInteger, _ flags: Int32 = NLM_F_ACK, _ fixed: Fixed) {
        buffer = .allocate(byteCount: Self.size, alignment: 8)
        // What pads an attribute is nobody's memory.
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
        header = mnl_nlmsg_put_header(buffer)
        header.pointee.nlmsg_type = UInt16(type)
        header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
        mnl_nlmsg_put_extra_header(header, MemoryLayout<Fixed>.size)?.storeBytes(of: fixed, as: Fixed.self)
    }

    deinit { buffer.deallocate() }

    /// As it goes to the kernel.
    package var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: buffer, count: Int(header.pointee.nlmsg_len))) }

    package func put(_ type: some BinaryInteger, _ bytes: [UInt8]) { mnl_attr_put(header, UInt16(type), bytes.count, bytes) }
    package func put(_ type: some BinaryInteger, _ text: String) { mnl_attr_put_strz(header, UInt16(type), text) }
    package func put(_ type: some BinaryInteger, u8 value: UInt8) { mnl_attr_put_u8(header, UInt16(type), value) }
    package func put(_ type: some BinaryInteger, u16 value: UInt16) { mnl_attr_put_u16(header, UInt16(type), value) }
    package func put(_ type: some BinaryInteger, u32 value: UInt32) { mnl_attr_put_u32(header, UInt16(type), value) }

    /// Attributes put inside `body` become the payload of one of `type`.
    package func nest(_ type: some BinaryInteger, _ body: () -> Void) {
        let start = mnl_attr_nest_start(header, UInt16(type))
        body()
        if let start { mnl_attr_nest_end(header, start) }
    }

    /// Appends a fixed structure in the midst of attributes, as IFLA_INFO_DATA of a veth wants it.
    package func putExtra<Fixed: BitwiseCopyable>(_ fixed: Fixed) {
        mnl_nlmsg_put_extra_header(header, MemoryLayout<Fixed>.size)?.storeBytes(of: fixed, as: Fixed.self)
    }
}
