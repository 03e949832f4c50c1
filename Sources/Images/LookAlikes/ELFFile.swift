/// What a program or library says it needs to be loaded. (elf(5))
package struct ELFFile: Sendable {
    /// The program that loads it; nil for a library, and for a program that stands alone.
    package private(set) var interpreter: String?
    /// Names of libraries.
    package private(set) var needed: [String] = []
    /// Where to look for them first.
    package private(set) var directories: [String] = []

    /// nil for what is no ELF file of 64 bits, the least first, which is what Debian's programs are where minik runs.
    package init?(_ bytes: [UInt8]) {
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
        let file = Words(bytes: bytes)
        guard let table = file.number(32, 8), let size = file.number(54, 2), let count = file.number(56, 2), size >= 56 else { return nil }
        var loads: [(address: Int, offset: Int, size: Int)] = [], dynamic: (offset: Int, size: Int)?
        for index in 0..<count {
            let entry = table + index * size
            guard let type = file.number(entry, 4), let offset = file.number(entry + 8, 8), let address = file.number(entry + 16, 8),
                let length = file.number(entry + 32, 8)
            else { return nil }
            switch type {
            case 1: loads.append((address, offset, length))
            case 2: dynamic = (offset, length)
            case 3: interpreter = file.text(offset)
            default: break
            }
        }
        guard let dynamic else { return }
        var names: [Int] = [], paths: [Int] = [], strings: Int?
        for place in stride(from: dynamic.offset, to: dynamic.offset + dynamic.size, by: 16) {
            guard let tag = file.number(place, 8), let value = file.number(place + 8, 8), tag != 0 else { break }
            switch tag {
            case 1: names.append(value)
            case 5: strings = loads.first { $0.address <= value && value - $0.address < $0.size }.map { value - $0.address + $0.offset }
            case 15, 29: paths.append(value)
            default: break
            }
        }
        guard let strings else { return }
        needed = names.compactMap { file.text(strings + $0) }
        directories = paths.compactMap { file.text(strings + $0) }.flatMap { $0.split(separator: ":").map(String.init) }
    }

    private struct Words {
        let bytes: [UInt8]

        /// nil beyond the end, and for what no file is large enough for.
        func number(_ offset: Int, _ size: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - size else { return nil }
            let value = (0..<size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[offset + $1]) }
            return value <= 1 << 62 ? Int(value) : nil
        }

        func text(_ offset: Int) -> String? {
            guard bytes.indices.contains(offset), let end = bytes[offset...].firstIndex(of: 0) else { return nil }
            return String(decoding: bytes[offset..<end], as: UTF8.self)
        }
    }
}
