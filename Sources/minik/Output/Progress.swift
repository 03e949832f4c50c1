import Glibc
import Lab
import Synchronization

/// Tells how long each stage of a command takes: a line that changes in place on a terminal, plain lines elsewhere.
final class Progress: ProgressReport {
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private let begun = Progress.clock()
    private let stage = Mutex((name: "", begun: 0.0))

    /// Seconds on a clock that never jumps.
    private static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func begin(_ name: String) {
        stage.withLock { $0 = (name, Progress.clock()) }
        if isTerminal { write("\u{1B}[2K\r … \(name)") }
    }

    func detail(_ text: String) {
        if isTerminal { write("\u{1B}[2K\r … \(stage.withLock(\.name)): \(text)") }
    }

    func end() {
        let (name, begun) = stage.withLock { $0 }
        let line = " ✓ \(name)\(String(repeating: " ", count: max(1, 44 - name.count)))\(Progress.seconds(Progress.clock() - begun))\n"
        write(isTerminal ? "\u{1B}[2K\r\(line)" : line)
        stage.withLock { $0.name = "" }
    }

    func note(_ text: String) { printError(text) }

    /// Ends an unfinished stage's line, before an error is printed.
    func abandon() {
        let name = stage.withLock(\.name)
        if isTerminal, !name.isEmpty { write("\u{1B}[2K\r ✗ \(name)\n") }
        stage.withLock { $0.name = "" }
    }

    func finish(_ text: String) { write("\(text) in \(Progress.seconds(Progress.clock() - begun))\n") }

    private static func seconds(_ value: Double) -> String {
        let milliseconds = Int((value * 1000).rounded())
        return milliseconds < 1000
            ? "\(milliseconds) ms" : "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst().prefix(2)) s"
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
