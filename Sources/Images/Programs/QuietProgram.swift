import Glibc
import Host
import Runtime

/// A program of this machine that does a part of the work, and speaks only when it has failed.
struct QuietProgram {
    /// What it says, while it runs.
    let log: String
    let running: RunningProgram

    struct Failure: Error, CustomStringConvertible {
        let code: Int32
        /// The end of what it said.
        let words: String
        let program: String
        var description: String { "\(program) ended with code \(code)\(words.isEmpty ? "" : ": \(words)")" }
    }

    /// Blocks until it has ended. `script` is a shell's, with `arguments` as $1, $2, ...
    func shell(_ script: String, _ arguments: [String]) throws {
        try run(["/bin/sh", "-ec", script, "sh"] + arguments)
    }

    func run(_ argv: [String]) throws {
        let file = try Descriptor(opening: log, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600, "create")
        let passed: [String] = ["http_proxy", "https_proxy", "no_proxy"].compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let environment = passed + ["PATH=\(ImageConfiguration.standardPath)", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        let child = try ReportedProgram(argv, environment: environment, stdio: [-1, file.number, file.number])
        running.started(child.identity)
        let code = child.wait()
        if running.isStopped { throw CancellationError() }
        guard code == 0 else {
            let words = String(decoding: Files.last(600, of: log), as: UTF8.self).split(separator: "\n").suffix(3).joined(separator: "; ")
            throw Failure(code: code, words: words, program: argv[0])
        }
    }
}
