import CSandbox
import Glibc
import Runtime

extension ImageStore {
    /// Loads a tar that comes as a stream: it is kept beside the store while it is read, for a tar tells at its end what is in it.
    @discardableResult
    package func load(stream: Int32, names: [ImageReference] = [], progress: @escaping (String) -> Void = { _ in }) throws -> [ImageRecord]
    {
        try places.make()
        // A file without a name: it goes with us, however we end.
        let file = sandbox_unnamed_file(places.staging)
        guard file >= 0 else { throw FileError("make a file in", places.staging, errno: -file) }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let n = read(stream, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            guard n >= 0 else { throw FileError("read", "standard input", errno: errno) }
            if n == 0 { break }
            var done = 0
            while done < n {
                let written = buffer.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + done }, n - done) }
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw FileError("keep standard input in", places.staging, errno: errno) }
                done += written
            }
        }
        return try load(try TarArchive("/proc/self/fd/\(file)", name: "standard input"), names: names, progress: progress)
    }
}
