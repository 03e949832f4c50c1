import CSandbox
import Glibc
import Host
import Runtime

/// A program whose output is read as it comes; what it complains of is kept until it has ended.
struct StreamingProgram {
    /// Its path and its arguments.
    let argv: [String]
    var environment = Self.environment()

    /// What other programs may want to know of ours.
    static func environment(_ more: [String] = []) -> [String] {
        (["PATH", "HOME", "XDG_RUNTIME_DIR", "CONTAINERD_ADDRESS"] + more).compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
    }

    /// What went wrong, in its own words.
    struct Complaint: Error {
        let words: String
        let code: Int32
        /// The last line that says something.
        var last: String { words.split(separator: "\n").last.map { String($0).trimmed } ?? "it ended with code \(code)" }
    }

    /// What `body` makes of its output; blocks until it has ended. Throws what `body` throws, or else its complaint.
    func read<R>(_ body: (Int32) throws -> R) throws -> R {
        var output: [Int32] = [-1, -1]
        let complaints = sandbox_memory_file()
        guard complaints >= 0, sandbox_pipe(&output) == 0 else { throw FileError("make a pipe for", argv[0], errno: errno) }
        defer { close(complaints) }
        let child: ReportedProgram
        do {
            defer { close(output[1]) }
            child = try ReportedProgram(argv, environment: environment, stdio: [-1, output[1], complaints])
        } catch {
            close(output[0])
            throw error
        }
        let result = Result { try body(output[0]) }
        close(output[0])
        let code = child.wait()
        let value = try result.get()
        guard code == 0 else {
            var words = [UInt8](repeating: 0, count: 64 * 1024)
            let n = pread(complaints, &words, words.count, 0)
            throw Complaint(words: String(decoding: words.prefix(max(0, n)), as: UTF8.self), code: code)
        }
        return value
    }

    /// All that it says, when that is little.
    func text() throws -> String {
        try read { output in
            var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while case let n = Glibc.read(output, &buffer, buffer.count), n != 0 {
                if n > 0 { bytes += buffer[..<n].prefix(max(0, (1 << 20) - bytes.count)) } else if errno != EINTR { break }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
