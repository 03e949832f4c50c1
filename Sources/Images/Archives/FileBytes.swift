import Glibc
import Host
import Runtime

/// The bytes of a large file, piece by piece.
enum FileBytes {
    static func each(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw FileError("open", path, errno: errno) }
        defer { close(file) }
        try each(file, path, body)
    }

    /// Of what comes on a descriptor, until it ends; `name`: what to call it to people.
    static func each(_ file: Int32, _ name: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let n = read(file, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw FileError("read", name, errno: errno) }
            if n == 0 { return }
            try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<n])) }
        }
    }
}
