/// A tar for a test, entry by entry: what no tool would write, too. (POSIX.1-2017 pax, "ustar Interchange Format")
package struct TarFile {
    private var written: [UInt8] = []

    package init() {}

    /// As it ends: two empty blocks.
    package var bytes: [UInt8] { written + [UInt8](repeating: 0, count: 1024) }

    /// `type`: 0 a file, 1 a hard link, 2 a symbolic link, 3 and 4 devices, 5 a directory, 6 a FIFO.
    package mutating func add(
        _ name: String, _ content: String = "", type: Character = "0", link: String = "", mode: Int = 0o644, user: Int = 0, group: Int = 0,
        device: (Int, Int) = (0, 0)
    ) {
        add(name, bytes: Array(content.utf8), type: type, link: link, mode: mode, user: user, group: group, device: device)
    }

    package mutating func add(
        _ name: String, bytes: [UInt8], type: Character = "0", link: String = "", mode: Int = 0o644, user: Int = 0, group: Int = 0,
        device: (Int, Int) = (0, 0)
    ) {
        // GNU's way with a name that is too long for the header.
        if name.utf8.count > 100 { add("././@LongLink", bytes: Array(name.utf8) + [0], type: "L") }
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ place: Int, _ room: Int) {
            for (index, byte) in text.utf8.prefix(room).enumerated() { header[place + index] = byte }
        }
        func octal(_ value: Int, _ place: Int, _ room: Int) {
            let digits = String(value, radix: 8)
            put(String(repeating: "0", count: max(0, room - 1 - digits.count)) + digits, place, room - 1)
        }
        put(name, 0, 100)
        for (value, place, room) in [(mode, 100, 8), (user, 108, 8), (group, 116, 8), (bytes.count, 124, 12), (1_000_000_000, 136, 12)] {
            octal(value, place, room)
        }
        put("        ", 148, 8)
        put(String(type), 156, 1)
        put(link, 157, 100)
        put("ustar", 257, 6)
        put("00", 263, 2)
        octal(device.0, 329, 8)
        octal(device.1, 337, 8)
        octal(header.reduce(0) { $0 + Int($1) }, 148, 7)
        written += header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    package mutating func directory(_ name: String, mode: Int = 0o755) { add(name, type: "5", mode: mode) }

    /// Extended attributes of the entry that comes next. (pax Extended Header: each record begins with its own length)
    package mutating func attributes(_ values: KeyValuePairs<String, String>) {
        let records = values.map { name, value -> String in
            let rest = " SCHILY.xattr.\(name)=\(value)\n"
            var length = rest.utf8.count + 2
            while "\(length)".utf8.count + rest.utf8.count != length { length = "\(length)".utf8.count + rest.utf8.count }
            return "\(length)\(rest)"
        }
        add("pax", records.joined(), type: "x")
    }
}
