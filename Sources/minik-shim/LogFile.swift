import Glibc
import Host
import Model

/// A container's log in the CRI format: `TIME STREAM F line`, or `P` for a piece of a line: one too long to wait for, or one that never
/// ended. (kubernetes/design-proposals: "CRI: Log management for container stdout/stderr streams")
final class LogFile {
    /// nil where it cannot be written: the container runs all the same.
    private var file: Descriptor?
    private let path: String
    private var pending: [String: [UInt8]] = [:]
    private static let longestLine = 16 * 1024

    init(path: String) {
        self.path = path
        do { file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o640) } catch { file = nil }
    }

    func append(_ bytes: ArraySlice<UInt8>, stream: String) {
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
        var rest: [UInt8] = []
        do {
            try Files.readEach(path) { piece in
                rest += piece
                guard let end = rest.lastIndex(of: 0x0A) else { return }
                for line in rest[..<end].split(separator: 0x0A) {
                    let fields = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
                    guard fields.count == 4 else { continue }
                    let isWhole = fields[2].first == UInt8(ascii: "F")
                    hear(fields[3] + (isWhole ? [0x0A] : []), String(decoding: fields[1], as: UTF8.self))
                }
                rest.removeFirst(end + 1)
            }
        } catch {}  // what cannot be read is not told
        for (stream, line) in pending { hear(line[...], stream) }
    }

    /// Writes what is left of unfinished lines and closes the file.
    func finish() {
        var out: [UInt8] = []
        for (stream, line) in pending { LogFile.write(line, stream, "P", to: &out) }
        flush(out)
        file = nil
    }

    private static func write(_ line: [UInt8], _ stream: String, _ tag: String, to out: inout [UInt8]) {
        out.append(contentsOf: "\(Timestamp.now().precise) \(stream) \(tag) ".utf8)
        out.append(contentsOf: line)
        out.append(0x0A)
    }

    private func flush(_ bytes: [UInt8]) {
        switch file {
        // A full disk keeps no container from running.
        case .some(let file): _ = bytes.withUnsafeBytes { file.writeSome($0) }
        case .none: break
        }
    }
}
