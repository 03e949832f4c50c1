import CSandbox
import Glibc
import Model

/// A program whose end is told by a pipe: a daemon hears of no child's, since it lets the kernel bury them. (wait(2), SIGCHLD ignored)
package struct ReportedProgram: ~Copyable {
    /// Ends with whoever started it, and its companion with it.
    private static let confined = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]
    private static let companion = ["/bin/sh", "-c", "\"$@\" 3>&-; echo $? >&3", "sh"]

    private let pid: pid_t
    private let report: Int32
    /// The companion: ended, it takes the program along.
    package let identity: ProcessIdentity?

    package init(_ argv: [String], environment: [String], stdio: [Int32]) throws(FileError) {
        var pipe: [Int32] = [-1, -1]
        guard sandbox_pipe(&pipe) == 0 else { throw FileError("make a pipe for", argv[0], errno: errno) }
        let started = SmallProgram.spawn(
            Self.confined + Self.companion + Self.confined + argv, environment: environment, stdio: stdio, extra: pipe[1])
        close(pipe[1])
        guard started > 0 else {
            close(pipe[0])
            throw FileError("start", argv[0], errno: -started)
        }
        (pid, report, identity) = (started, pipe[0], ProcessIdentity(pid: Int(started)))
    }

    /// Blocks until it has ended; its exit code, as a shell has it, 137 when it was ended with its companion.
    package consuming func wait() -> Int32 {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 64)
        while case let n = read(report, &buffer, buffer.count), n != 0 {
            if n > 0 { bytes += buffer[..<n] } else if errno != EINTR { break }
        }
        close(report)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        return Int32(String(decoding: bytes, as: UTF8.self).trimmed) ?? 137
    }
}
