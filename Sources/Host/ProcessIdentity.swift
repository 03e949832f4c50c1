import CHost
import Glibc

/// A process that cannot be mistaken for a later one with the same number: its pid and when it started.
package struct ProcessIdentity: Sendable, Hashable {
    package let pid: Int
    /// Clock ticks since boot (proc(5), /proc/PID/stat field 22).
    package let startTime: Int

    /// The process that has `pid` now; nil when there is none, or it is a zombie.
    package init?(pid: Int) {
        guard let text = Self.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", let start = Int(fields[19]) else { return nil }
        self.pid = pid
        startTime = start
    }

    /// A file's text; with the spare descriptor where there is no other.
    private static func read(_ path: String) -> String? {
        do { return String(decoding: try Files.read(path), as: UTF8.self) } catch {
            return [EMFILE, ENFILE].contains(error.errno) ? SpareDescriptor.ofProcess.lend { Files.text(path) } : nil
        }
    }

    /// What `write` left in a file, if that process still lives.
    package init?(file: String) {
        let numbers = (Self.read(file) ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 2, let living = ProcessIdentity(pid: numbers[0]), living.startTime == numbers[1] else { return nil }
        self = living
    }

    package func write(to file: String) throws(FileError) { try Files.write("\(pid) \(startTime)\n", to: file, mode: 0o600) }

    package var isAlive: Bool { ProcessIdentity(pid: pid) == self }

    /// Sends a signal, to this process and no successor.
    package func signal(_ number: Int32) {
        do {
            let process = try Descriptor(ofProcess: pid_t(pid))
            if isAlive { _ = host_pidfd_kill(process.number, number) }
        } catch {
            // Without a descriptor there is no surer way.
            if error.errno != ESRCH, isAlive { kill(pid_t(pid), number) }
        }
    }

    /// Waits until the process has ended; false when it has not after `milliseconds`.
    package func awaitEnd(milliseconds: Int32) -> Bool {
        guard let process = try? Descriptor(ofProcess: pid_t(pid)) else { return !isAlive }
        guard isAlive else { return true }
        var wait = pollfd(fd: process.number, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, milliseconds) > 0
    }
}

extension Descriptor {
    /// Stands for the process that has `pid` now, and can be read when that has ended. (pidfd_open(2))
    package init(ofProcess pid: pid_t) throws(FileError) { try self.init(host_pidfd_open(pid), "watch", "process \(pid)") }
}
