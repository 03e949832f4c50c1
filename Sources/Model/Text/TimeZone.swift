#if canImport(Glibc)
    import Glibc
#endif

/// How far a place's clocks are ahead of UTC, and since when: a file of the IANA time zone database. (RFC 9636, TZif)
package struct TimeZone: Sendable, Hashable {
    /// When the clocks change, oldest first, and their offset in seconds from then on.
    private let changes: [Change]
    /// The offset before the first change.
    private let first: Int
    /// For the time after the last change; nil: it stays.
    private let rule: TimeZoneRule?

    private struct Change: Hashable {
        let time: Int
        let offset: Int
    }

    package struct Unknown: Error, CustomStringConvertible { package let description: String }

    package static let utc = TimeZone(changes: [], first: 0, rule: nil)
    package static let database = "/usr/share/zoneinfo"

    private init(changes: [Change], first: Int, rule: TimeZoneRule?) {
        self.changes = changes
        self.first = first
        self.rule = rule
    }

    /// The zone called `name`, such as `Europe/Berlin`.
    package init(named name: String, database: String = TimeZone.database) throws(Unknown) {
        if ["UTC", "Etc/UTC"].contains(name) {
            self = .utc
            return
        }
        guard access(database, R_OK) == 0 else {
            throw Unknown(
                description: "unknown time zone \(name): there is no time zone database in \(database); install the package tzdata")
        }
        // A name is a path below the database: nothing may lead out of it.
        let isPath =
            !name.isEmpty && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
        guard isPath, let bytes = Self.contents("\(database)/\(name)"), let zone = TimeZone(tzif: bytes) else {
            throw Unknown(description: "unknown time zone \(name)")
        }
        self = zone
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return ferror(file) == 0 ? Array(bytes.prefix(count)) : nil
    }

    /// What a TZif file says; nil if it is none. Version 1 has times of 32 bits, the later ones repeat everything with 64 bits.
    package init?(tzif bytes: [UInt8]) {
        guard let old = Header(bytes[...]) else { return nil }
        if old.version < 2 {
            self.init(old, bytes[...], width: 4, footer: [])
            return
        }
        let rest = bytes.dropFirst(Header.size + old.length(width: 4))
        guard let new = Header(rest) else { return nil }
        self.init(new, rest, width: 8, footer: rest.dropFirst(Header.size + new.length(width: 8)))
    }

    private init?(_ header: Header, _ bytes: ArraySlice<UInt8>, width: Int, footer: ArraySlice<UInt8>) {
        guard bytes.count >= Header.size + header.length(width: width), header.types > 0 else { return nil }
        let data = Array(bytes.dropFirst(Header.size))
        func number(_ place: Int, _ size: Int) -> Int {
            let value = data[place..<place + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return size == 4 ? Int(Int32(truncatingIfNeeded: value)) : Int(Int64(bitPattern: value))
        }
        let kinds = header.times * width, offsets = kinds + header.times
        var changes: [Change] = []
        for index in 0..<header.times {
            let kind = Int(data[kinds + index])
            guard kind < header.types else { return nil }
            changes.append(Change(time: number(index * width, width), offset: number(offsets + kind * 6, 4)))
        }
        let text = String(decoding: footer.drop { $0 == 0x0A }.prefix { $0 != 0x0A }, as: UTF8.self)
        self.init(changes: changes, first: number(offsets, 4), rule: TimeZoneRule(text))
    }

    private struct Header {
        static let size = 44
        let version: Int
        let (utc, standard, leaps, times, types, characters): (Int, Int, Int, Int, Int, Int)

        init?(_ bytes: ArraySlice<UInt8>) {
            let bytes = Array(bytes.prefix(Self.size))
            guard bytes.count == Self.size, bytes.starts(with: "TZif".utf8) else { return nil }
            version = bytes[4] == 0 ? 1 : Int(bytes[4]) - 0x30
            let counts = (0..<6).map { index in bytes[20 + index * 4..<24 + index * 4].reduce(0) { $0 << 8 | Int($1) } }
            (utc, standard, leaps, times, types, characters) = (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5])
        }

        /// How many bytes follow the header, with times of `width` bytes.
        func length(width: Int) -> Int { times * (width + 1) + types * 6 + characters + leaps * (width + 4) + standard + utc }
    }

    /// Seconds that the place's clocks are ahead of UTC at a moment.
    package func offset(at time: Int) -> Int {
        guard let last = changes.last else { return rule?.offset(at: time) ?? first }
        if time >= last.time { return rule?.offset(at: time) ?? last.offset }
        var low = 0, high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? first : changes[low - 1].offset
    }
}
