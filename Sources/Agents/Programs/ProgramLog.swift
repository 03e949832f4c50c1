import Glibc
import Model

/// What a program tells those who read its container's log, each line with its severity and time. (k8s.io/klog)
package struct ProgramLog: Sendable {
    package enum Severity: String, Sendable { case information = "I", warning = "W", error = "E" }

    private let write: @Sendable (String) -> Void
    private let now: @Sendable () -> Timestamp

    package init(
        now: @escaping @Sendable () -> Timestamp = { .now() }, write: @escaping @Sendable (String) -> Void = { ProgramLog.complain($0) }
    ) {
        self.write = write
        self.now = now
    }

    /// A line to standard error, whole.
    package static func complain(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }

    package func note(_ severity: Severity, _ text: String) {
        // 2026-11-30T09:58:00Z is 1130 09:58:00.
        let time = now().description.split(separator: "T").map(String.init)
        let day = time[0].split(separator: "-").dropFirst().joined(), clock = time.count > 1 ? time[1].prefix(8) : ""
        write("\(severity.rawValue)\(day) \(clock)] \(text)")
    }

    package func tell(_ text: String) { note(.information, text) }
    package func warn(_ text: String) { note(.warning, text) }
    package func fail(_ text: String) { note(.error, text) }
}
