import Glibc

/// Tells how long each stage of a command takes: a line that changes in place on a terminal, plain lines elsewhere.
final class Progress {
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private let begun = Progress.clock()
    private var stageBegun = Progress.clock()
    private var stage = ""

    /// Seconds on a clock that never jumps.
    private static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func begin(_ name: String) {
        stage = name
        stageBegun = Progress.clock()
        if isTerminal { write("\u{1B}[2K\r … \(name)") }
    }

    func detail(_ text: String) {
        if isTerminal { write("\u{1B}[2K\r … \(stage): \(text)") }
    }

    func end() {
        let line = " ✓ \(stage)\(String(repeating: " ", count: max(1, 44 - stage.count)))\(Progress.seconds(Progress.clock() - stageBegun))\n"
        write(isTerminal ? "\u{1B}[2K\r\(line)" : line)
        stage = ""
    }

    /// Ends an unfinished stage's line, before an error is printed.
    func abandon() {
        if isTerminal, !stage.isEmpty { write("\u{1B}[2K\r ✗ \(stage)\n") }
        stage = ""
    }

    func finish(_ text: String) { write("\(text) in \(Progress.seconds(Progress.clock() - begun))\n") }

    private static func seconds(_ value: Double) -> String {
        let milliseconds = Int((value * 1000).rounded())
        return milliseconds < 1000 ? "\(milliseconds) ms" : "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst().prefix(2)) s"
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
