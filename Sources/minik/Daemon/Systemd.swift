import CSystemd
import Glibc

/// What the daemon tells its service manager (sd_notify(3)); nothing happens when there is none.
enum Systemd {
    static func notify(_ state: String) { sd_notify(0, state) }

    /// How often the watchdog wants to hear of us: half of what systemd allows. nil when it does not watch.
    static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
        return .microseconds(Int64(microseconds / 2))
    }

    /// A line of the daemon's log. Under systemd it goes to the journal with fields to filter by, else to stderr.
    static func log(_ message: String, priority: Int32 = LOG_INFO, cluster: String) {
        if getenv("JOURNAL_STREAM") != nil {
            var fields = ["MESSAGE=\(message)", "PRIORITY=\(priority)", "SYSLOG_IDENTIFIER=minik", "MINIK_CLUSTER=\(cluster)"].map {
                Array($0.utf8)
            }
            var vectors: [iovec] = []
            for index in fields.indices {
                fields[index].withUnsafeMutableBytes { bytes in
                    let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 1)
                    copy.copyMemory(from: UnsafeRawPointer(bytes.baseAddress ?? copy), byteCount: bytes.count)
                    vectors.append(iovec(iov_base: copy, iov_len: bytes.count))
                }
            }
            sd_journal_sendv(vectors, Int32(vectors.count))
            for vector in vectors { vector.iov_base?.deallocate() }
        } else {
            let line = Array("\(message)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
        }
    }
}
