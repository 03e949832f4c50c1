import CSandbox
import Glibc
import Host
import Runtime

extension ImageStore {
    /// Loads a tar that comes as a stream: it is kept beside the store while it is read, for a tar tells at its end what is in it.
    @discardableResult
    package func load(stream: Int32, names: [ImageReference] = [], progress: @escaping (String) -> Void = { _ in }) throws -> [ImageRecord]
    {
        let kept = try KeptStream(stream, name: "standard input", in: places)
        return try load(try TarArchive(kept.path, name: "standard input"), names: names, progress: progress)
    }
}

/// A stream's bytes, all of them, in a file without a name: it goes with us, however we end.
final class KeptStream {
    private let file: Int32
    var path: String { "/proc/self/fd/\(file)" }

    init(_ stream: Int32, name: String, in places: StorePlaces) throws {
        try places.make()
        file = sandbox_unnamed_file(places.staging)
        guard file >= 0 else { throw FileError("make a file in", places.staging, errno: -file) }
        do { try Self.copy(stream, to: file, name, places) } catch {
            close(file)
            throw error
        }
    }

    deinit { close(file) }

    private static func copy(_ stream: Int32, to file: Int32, _ name: String, _ places: StorePlaces) throws {
        try FileBytes.each(stream, name) { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let written = Glibc.write(file, rest.baseAddress, rest.count)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { throw FileError("keep \(name) in", places.staging, errno: errno) }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
