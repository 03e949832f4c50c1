import Glibc
import Model

/// A container's log in the CRI format: `TIME STREAM F line`, or `P` for a piece of a line: one too long to wait for, or one that never
/// ended. (kubernetes/design-proposals: "CRI: Log management for container stdout/stderr streams")
struct LogFile {
    private let fd: Int32
    private let path: String
    private var pending: [String: [UInt8]] = [:]
    private static let longestLine = 16 * 1024

    init(path: String) {
        self.path = path
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

    /// Hands on all that was appended, in order, a piece of the file at a time; lines that are not ended come last.
    func retell(_ hear: (ArraySlice<UInt8>, _ stream: String) -> Void) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        var rest: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while file >= 0, case let n = read(file, &buffer, buffer.count), n > 0 {
            rest += buffer[..<n]
            guard let end = rest.lastIndex(of: 0x0A) else { continue }
            for line in rest[..<end].split(separator: 0x0A) {
                let fields = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
                guard fields.count == 4 else { continue }
                let isWhole = fields[2].first == UInt8(ascii: "F")
                hear(fields[3] + (isWhole ? [0x0A] : []), String(decoding: fields[1], as: UTF8.self))
            }
            rest.removeFirst(end + 1)
        }
        for (stream, line) in pending { hear(line[...], stream) }
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
