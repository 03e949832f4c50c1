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
    func read<R>(_ body: (borrowing Descriptor) throws -> R) throws -> R {
        let complaints = try Descriptor.memoryFile()
        let pipe = try Pipe(for: argv[0])
        let child = try ReportedProgram(argv, environment: environment, stdio: [-1, pipe.writing.number, complaints.number])
        let result = Self.heard(pipe.keepReading(), body)
        let code = child.wait()
        let value = try result.get()
        guard code == 0 else {
            var words = [UInt8](repeating: 0, count: 64 * 1024)
            let n = pread(complaints.number, &words, words.count, 0)
            throw Complaint(words: String(decoding: words.prefix(max(0, n)), as: UTF8.self), code: code)
        }
        return value
    }

    /// What `body` makes of what it says; nobody listens to the rest.
    private static func heard<R>(_ output: consuming Descriptor, _ body: (borrowing Descriptor) throws -> R) -> Result<R, any Error> {
        do { return .success(try body(output)) } catch { return .failure(error) }
    }

    /// All that it says, when that is little.
    func text() throws -> String {
        try read { output in
            var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while case let n = Glibc.read(output.number, &buffer, buffer.count), n != 0 {
                if n > 0 { bytes += buffer[..<n].prefix(max(0, (1 << 20) - bytes.count)) } else if errno != EINTR { break }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
