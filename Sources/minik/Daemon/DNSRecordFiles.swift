import DNS
import Model
import Runtime

/// The records as files of a directory that the DNS server's pod sees: `records.json`, and a file of changes that bears its serial.
struct DNSRecordFiles: RecordTarget {
    private let directory: String

    /// Makes the directory: the server's pod mounts it, whether anything has been written yet or not.
    init(directory: String) throws {
        self.directory = directory
        try Files.makeDirectory(directory)
    }

    private var whole: String { "\(directory)/records.json" }

    func serial() throws -> Int {
        guard let text = Files.text(whole) else { return 0 }
        // One that cannot be read is written anew, like one that is not there.
        do { return try JSON(parsing: text)["serial"].int ?? 0 } catch { return 0 }
    }

    func write(_ records: DNSRecords) throws {
        // A daemon that knew no serials may have left some.
        Files.removeTree("\(directory)/\(DNSChange.file(records.serial))")
        try Files.write(records.json.bytes(), to: whole)
        for name in Files.list(directory) where name.hasPrefix("changes-") && name != DNSChange.file(records.serial) {
            Files.removeTree("\(directory)/\(name)")
        }
    }

    func append(_ changes: [DNSChange], since serial: Int) throws {
        try Files.append(changes.flatMap { $0.json.bytes() + [0x0A] }, to: "\(directory)/\(DNSChange.file(serial))")
    }
}
