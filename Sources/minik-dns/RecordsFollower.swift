import DNS
import Glibc
import Model

/// The zone as the files of a directory tell it: the whole, and what has changed since, told by inotify(7).
struct RecordsFollower {
    let directory: String
    private let path: String
    private(set) var zone = DNSZone(DNSRecords(zone: "cluster.local", services: []))
    /// Tells of changes in the directory; -1 when the kernel has none to give, and then it is looked at again and again.
    let notifications: Int32
    private var position = DNSPosition()
    private var whole = stat()

    init(path: String) {
        self.path = path
        directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        notifications = Self.watch(directory.isEmpty ? "." : directory)
        follow()
    }

    private static func watch(_ directory: String) -> Int32 {
        let fd = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard fd >= 0 else { return -1 }
        if inotify_add_watch(fd, directory, UInt32(IN_MODIFY | IN_MOVED_TO | IN_CREATE | IN_DELETE)) >= 0 { return fd }
        close(fd)
        return -1
    }

    /// Takes in what has been written since the last look. Call it when `notifications` can be read, at least.
    mutating func follow() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while notifications >= 0, read(notifications, &buffer, buffer.count) > 0 {}
        readChanges()
        var info = stat()
        guard stat(path, &info) == 0, !isKnown(info), let bytes = Self.bytes(of: path, from: 0) else { return }
        whole = info
        guard !position.isWhole(bytes) else { return }
        // One that is no JSON is no daemon's; the next one will be.
        guard let json = try? JSON(parsing: bytes) else { return }
        let records = DNSRecords(json)
        zone = DNSZone(records)
        position = DNSPosition(serial: records.serial)
        readChanges()
    }

    private func isKnown(_ info: stat) -> Bool {
        info.st_ino == whole.st_ino && info.st_mtim.tv_sec == whole.st_mtim.tv_sec && info.st_mtim.tv_nsec == whole.st_mtim.tv_nsec
    }

    private mutating func readChanges() {
        while let bytes = Self.bytes(of: "\(directory)/\(DNSChange.file(position.serial))", from: position.read), !bytes.isEmpty {
            guard position.take(bytes, { zone.apply($0) }) else { return }
        }
    }

    private static func bytes(of path: String, from start: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, Int(info.st_size) > start else { return nil }
        let size = Int(info.st_size) - start
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, pread(fd, buffer.baseAddress, size, start))
        }
    }
}
