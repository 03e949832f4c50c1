import DNS
import Host
import Model
import Runtime

/// The records as files of a directory that the DNS server's pod sees: `records.json`, and files of changes that bear its serial.
///
/// Whenever a daemon ends, what stands there is either all of one moment, or read as nothing: a whole is put in place by its name, a
/// line counts with its end, and a file of changes goes after the whole that says the same has come.
struct DNSRecordFiles: RecordTarget {
    private let directory: String

    /// Makes the directory: the server's pod mounts it, whether anything has been written yet or not.
    init(directory: String) throws {
        self.directory = directory
        try Files.makeDirectory(directory)
    }

    private var whole: String { "\(directory)/records.json" }
    private func changes(_ serial: Int) -> String { "\(directory)/\(DNSChange.file(serial))" }

    func read() -> DNSBook? {
        // What cannot be read is written anew, like what is not there.
        guard let text = Files.text(whole), let json = try? JSON(parsing: text) else { return nil }
        let records = DNSRecords(json)
        var book = DNSBook(records), position = DNSPosition(serial: records.serial)
        while let text = Files.text(changes(position.serial)) {
            let bytes = Array(text.utf8), serial = position.serial
            guard bytes.isEmpty || position.take(bytes, { book.take($0) }) else { return nil }
            if position.serial == serial { return position.read == bytes.count ? book : nil }
            book.take(.whole(position.serial))
        }
        return book
    }

    func newSerial() -> Int {
        let there = Files.text(whole).flatMap { DNSRecords.serial(Array($0.utf8)) } ?? 0
        return Files.list(directory).compactMap { DNSChange.serial(ofFile: $0) }.reduce(there, max) + 1
    }

    func write(_ records: DNSRecords) throws { try put(records, keeping: []) }

    func fold(_ records: DNSRecords) throws {
        let before = records.serial - 1
        try Files.append(DNSChange.whole(records.serial).line, to: changes(before))
        // Servers may be reading it.
        try put(records, keeping: [before])
    }

    private func put(_ records: DNSRecords, keeping serials: [Int]) throws {
        try Files.write(records.json.bytes(), to: whole)
        for name in Files.list(directory) {
            if let serial = DNSChange.serial(ofFile: name), !serials.contains(serial) { Files.removeTree("\(directory)/\(name)") }
        }
    }

    func append(_ changes: [DNSChange], since serial: Int) throws {
        try Files.append(changes.flatMap(\.line), to: self.changes(serial))
    }
}
