import CHost
import Dispatch
import Glibc
import Model

/// The small programs that stand beside `minik`: minik-shim and minik-dns.
package enum SmallProgram {
    /// The path of program `name`, beside the running executable.
    package static func path(_ name: String) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let n = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, n)), as: UTF8.self).replacing(" (deleted)", with: "")
        return own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex) + "/\(name)"
    }

    /// Starts a program in a session of its own; its pid, or -errno. `extra` becomes its descriptor 3.
    package static func spawn(_ argv: [String], environment: [String], stdio: [Int32], extra: Int32 = -1) -> pid_t {
        withCStrings(argv) { arguments in
            withCStrings(environment) { variables in host_spawn(argv[0], arguments, variables, stdio, extra) }
        }
    }

    /// Starts minik-shim and waits for its word: the pid it reports once its namespaces stand.
    package static func startShim(_ arguments: [String]) async throws -> ProcessIdentity {
        let path = path("minik-shim")
        return try await blocking {
            let report = try startedShim([path] + arguments)
            let words = String(decoding: try report.read(atMost: 512, "the report of \(path)"), as: UTF8.self)
                .split(separator: " ", maxSplits: 1).map(String.init)
            if words.first == "ok", words.count == 2, let reported = Int(words[1]), let identity = ProcessIdentity(pid: reported) {
                return identity
            }
            if words.first == "ok" { throw ShimStartError(step: "it ended at once", errno: ECHILD) }
            throw ShimStartError(step: words.count > 1 ? words[1] : "it said nothing", errno: words.first.flatMap { Int32($0) } ?? EPIPE)
        }
    }

    /// What it reports on; ended when it says nothing.
    private static func startedShim(_ argv: [String]) throws(FileError) -> Descriptor {
        let report = try Pipe(for: argv[0])
        let pid = spawn(argv, environment: [], stdio: [-1, -1, -1], extra: report.writing.number)
        guard pid > 0 else { throw FileError("start", argv[0], errno: -pid) }
        return report.keepReading()
    }

    /// Runs blocking work off the threads that Swift's tasks share.
    package static func blocking<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
        }
    }
}

package struct ShimStartError: Error, CustomStringConvertible {
    package let step: String
    package let errno: Int32
    package var description: String { "start a sandbox: \(step): \(String(cString: strerror(errno)))" }
}
