/// The blocks of a capture file in pcapng, byte for byte. (draft-ietf-opsawg-pcapng)
package enum Pcapng {
    /// LINKTYPE_ETHERNET
    private static let ethernet: UInt16 = 1

    /// Begins a file.
    package static func section(application: String, system: String) -> [UInt8] {
        let byteOrder: UInt32 = 0x1A2B_3C4D
        let body = little(byteOrder) + little(UInt16(1)) + little(UInt16(0)) + [UInt8](repeating: 0xFF, count: 8)
        return block(0x0A0D_0D0A, body + options([(3, Array(system.utf8)), (4, Array(application.utf8))]))
    }

    /// Describes a device; packets name it by its place among those that were described. Times are nanoseconds.
    package static func interface(_ name: String, description: String, snap: Int) -> [UInt8] {
        let body = little(ethernet) + [0, 0] + little(UInt32(snap))
        return block(1, body + options([(2, Array(name.utf8)), (3, Array(description.utf8)), (9, [9])]))
    }

    package static func packet(interface: Int, _ frame: CapturedFrame, comment: String?) -> [UInt8] {
        let direction: UInt32 = frame.isOutgoing ? 2 : 1
        let body = little(UInt32(interface)) + time(frame.time) + little(UInt32(frame.bytes.count)) + little(UInt32(frame.length))
        let comment = comment.map { [(UInt16(1), cut($0))] } ?? []
        return block(6, body + padded(frame.bytes) + options(comment + [(2, little(direction))]))
    }

    /// How many packets came by a device, and how many of its namespace found no room.
    package static func statistics(interface: Int, at time: UInt64, received: Int, dropped: Int) -> [UInt8] {
        let counts = [(UInt16(4), little(UInt64(received))), (5, little(UInt64(dropped)))]
        return block(5, little(UInt32(interface)) + self.time(time) + options(counts))
    }

    /// The high half comes first, whatever the byte order.
    private static func time(_ time: UInt64) -> [UInt8] {
        little(UInt32(time >> 32)) + little(UInt32(truncatingIfNeeded: time))
    }

    private static func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
        let length = little(UInt32(body.count + 12))
        return little(type) + length + body + length
    }

    private static func options(_ list: [(UInt16, [UInt8])]) -> [UInt8] {
        let given = list.filter { !$0.1.isEmpty }
        if given.isEmpty { return [] }
        return given.flatMap { little($0.0) + little(UInt16($0.1.count)) + padded($0.1) } + [0, 0, 0, 0]
    }

    /// An option's length has sixteen bits.
    private static func cut(_ text: String) -> [UInt8] { Array(text.utf8.prefix(60000)) }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4) }

    private static func little<N: FixedWidthInteger>(_ number: N) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
}
