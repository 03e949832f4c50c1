import Glibc
import Model

/// A container's log in the CRI format: `TIME STREAM F line`, or `P` for a piece of a line: one too long to wait for, or one that never
/// ended. (kubernetes/design-proposals: "CRI: Log management for container stdout/stderr streams")
struct LogFile {
    private let fd: Int32
    private var pending: [String: [UInt8]] = [:]
    private static let longestLine = 16 * 1024

    init(path: String) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    }

    mutating func append(_ bytes: ArraySlice<UInt8>, stream: String) {
        var line = pending[stream] ?? []
        var out: [UInt8] = []
        for byte in bytes {
            if byte == 0x0A {
                LogFile.write(line, stream, "F", to: &out)
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(byte)
                if line.count >= Self.longestLine {
                    LogFile.write(line, stream, "P", to: &out)
                    line.removeAll(keepingCapacity: true)
                }
            }
        }
        pending[stream] = line.isEmpty ? nil : line
        flush(out)
    }

    /// Writes what is left of unfinished lines and closes the file.
    mutating func finish() {
        var out: [UInt8] = []
        for (stream, line) in pending { LogFile.write(line, stream, "P", to: &out) }
        flush(out)
        close(fd)
    }

    private static func write(_ line: [UInt8], _ stream: String, _ tag: String, to out: inout [UInt8]) {
        out.append(contentsOf: "\(Timestamp.now().precise) \(stream) \(tag) ".utf8)
        out.append(contentsOf: line)
        out.append(0x0A)
    }

    private func flush(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if n <= 0 { return }
            rest = rest.dropFirst(n)
        }
    }
}
