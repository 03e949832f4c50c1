import Dispatch
import Glibc
import Host
import Model
import Synchronization

/// A program that is run on a node: with the node's files, network, processes and name, and a text to read.
package struct NodeProgram: Sendable {
    package let argv: [String]
    package let environment: [String]
    package let input: String
    /// In seconds; then it is ended.
    package let limit: Int

    package struct Answer: Sendable {
        /// As a shell has it.
        package let code: Int32
        package let output: String
        package let complaints: String
    }

    package init(_ argv: [String], environment: [String], input: String, limit: Int = 120) {
        self.argv = argv
        self.environment = environment
        self.input = input
        self.limit = limit
    }

    struct TookTooLong: Error, CustomStringConvertible {
        let program: String
        let limit: Int
        var description: String { "\(program) did not end within \(limit) s" }
    }

    /// nsenter -t NODE -m -u -i -n -p -- ARGV
    package func run(on node: ProcessIdentity) async throws -> Answer {
        try await SmallProgram.blocking { try blockingRun(node) }
    }

    private func blockingRun(_ node: ProcessIdentity) throws -> Answer {
        let input = try Descriptor.memoryFile(), output = try Descriptor.memoryFile(), complaints = try Descriptor.memoryFile()
        try input.write(Array(self.input.utf8), to: "the input of \(argv[0])")
        lseek(input.number, 0, SEEK_SET)
        let enter = ["/usr/bin/nsenter", "-t", String(node.pid), "-m", "-u", "-i", "-n", "-p", "--"]
        let child = try ReportedProgram(enter + argv, environment: environment, stdio: [input.number, output.number, complaints.number])
        let companion = child.identity, isLate = Flag()
        let alarm = DispatchWorkItem {
            isLate.value.store(true, ordering: .relaxed)
            companion?.signal(SIGKILL)
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(limit), execute: alarm)
        let code = child.wait()
        alarm.cancel()
        if isLate.value.load(ordering: .relaxed) { throw TookTooLong(program: argv[0], limit: limit) }
        return Answer(code: code, output: try Self.text(of: output), complaints: try Self.text(of: complaints))
    }

    private final class Flag: Sendable { let value = Atomic(false) }

    /// No plugin has more than this to say.
    private static let longest = 1 << 20

    private static func text(of file: borrowing Descriptor) throws -> String {
        var bytes = [UInt8](repeating: 0, count: longest), count = 0
        while count < longest {
            let n = bytes.withUnsafeMutableBytes { pread(file.number, $0.baseAddress.map { $0 + count }, longest - count, off_t(count)) }
            if n <= 0 { break }
            count += n
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
