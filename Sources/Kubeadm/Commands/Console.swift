import Glibc
import Model

/// Where kubeadm speaks, and is answered.
package struct Console: Sendable {
    let out: @Sendable (String) -> Void
    let complain: @Sendable (String) -> Void
    let ask: @Sendable (String) -> String?

    package init(
        out: @escaping @Sendable (String) -> Void, complain: @escaping @Sendable (String) -> Void,
        ask: @escaping @Sendable (String) -> String?
    ) {
        (self.out, self.complain, self.ask) = (out, complain, ask)
    }

    /// The process' own streams.
    package static let standard = Console(
        out: { print($0) },
        complain: { line in
            let bytes = Array("\(line)\n".utf8)
            _ = write(STDERR_FILENO, bytes, bytes.count)
        },
        ask: { question in
            print(question, terminator: "")
            fflush(nil)
            return readLine()
        })

    /// A warning in klog's form.
    func warn(_ text: String, _ place: String) {
        let now = Timestamp.now(), stamp = now.description.dropFirst(5)  // MM-DDTHH:MM:SSZ
        let date = stamp.prefix(5).replacing("-", with: ""), time = stamp.dropFirst(6).prefix(8)
        let digits = "\(now.nanoseconds / 1000)", micros = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        let process = String(getpid())
        complain("W\(date) \(time).\(micros) \(String(repeating: " ", count: max(0, 7 - process.count)))\(process) \(place)] \(text)")
    }
}
