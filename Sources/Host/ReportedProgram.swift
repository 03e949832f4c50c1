import Glibc
import Model

/// A program whose end is told by a pipe: a daemon hears of no child's, since it lets the kernel bury them. (wait(2), SIGCHLD ignored)
package struct ReportedProgram: ~Copyable {
    /// Ends with whoever started it, and its companion with it.
    private static let confined = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]
    private static let companion = ["/bin/sh", "-c", "\"$@\" 3>&-; echo $? >&3", "sh"]

    private let pid: pid_t
    private let report: Descriptor
    /// The companion: ended, it takes the program along.
    package let identity: ProcessIdentity?

    package init(_ argv: [String], environment: [String], stdio: [Int32]) throws(FileError) {
        let pipe = try Pipe(for: argv[0])
        let started = SmallProgram.spawn(
            Self.confined + Self.companion + Self.confined + argv, environment: environment, stdio: stdio, extra: pipe.writing.number)
        guard started > 0 else { throw FileError("start", argv[0], errno: -started) }
        (pid, identity) = (started, ProcessIdentity(pid: Int(started)))
        report = pipe.keepReading()
    }

    /// Blocks until it has ended; its exit code, as a shell has it, 137 when it was ended with its companion.
    package consuming func wait() -> Int32 {
        let bytes = (try? report.readAll("its end")) ?? []
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        return Int32(String(decoding: bytes, as: UTF8.self).trimmed) ?? 137
    }
}
