import Model

/// How far somebody has read the whole and the changes that follow it.
package struct DNSPosition: Sendable, Hashable {
    /// Which whole the changes that are read next belong to.
    package private(set) var serial: Int
    /// How many bytes of these changes have been read.
    package private(set) var read = 0
    /// The whole of this serial says what has been read already, and nothing else.
    private var isAnnounced = false

    package init(serial: Int = 0) { self.serial = serial }

    /// Takes in more bytes of the file of changes: whole lines, for one without its end is still being written. true: there may be more to
    /// read, in this file or the next.
    package mutating func take(_ bytes: [UInt8], _ apply: (DNSChange) -> Void) -> Bool {
        guard let end = bytes.lastIndex(of: 0x0A) else { return false }
        read += end + 1
        for line in bytes[..<end].split(separator: 0x0A) {
            // What a newer minik says is left alone.
            guard let json = try? JSON(parsing: line), let change = DNSChange(json) else { continue }
            if case .whole(let next) = change {
                (serial, read, isAnnounced) = (next, 0, true)
                return true
            }
            apply(change)
        }
        return true
    }

    /// Whether a whole that has just been found says nothing new.
    package mutating func isWhole(_ bytes: [UInt8]) -> Bool {
        guard isAnnounced, DNSRecords.serial(bytes) == serial else { return false }
        isAnnounced = false
        return true
    }
}
