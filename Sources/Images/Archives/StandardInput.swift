import Glibc
import Host
import Runtime

extension ImageStore {
    /// Loads a tar that comes as a stream: it is kept beside the store while it is read, for a tar tells at its end what is in it.
    @discardableResult
    package func load(stream: Int32, names: [ImageReference] = [], progress: @escaping (String) -> Void = { _ in }) throws -> [ImageRecord]
    {
        // The stream stays the caller's.
        let kept = try KeptStream(try Descriptor(copying: stream), name: "standard input", in: places)
        return try load(try TarArchive(kept.path, name: "standard input"), names: names, progress: progress)
    }
}

/// A stream's bytes, all of them, in a file without a name: it goes with us, however we end.
final class KeptStream {
    private let file: Descriptor
    var path: String { "/proc/self/fd/\(file.number)" }

    init(_ stream: borrowing Descriptor, name: String, in places: StorePlaces) throws {
        try places.make()
        file = try Descriptor.unnamedFile(in: places.staging)
        try Self.copy(stream, to: file, name, places)
    }

    private static func copy(
        _ stream: borrowing Descriptor, to file: borrowing Descriptor, _ name: String, _ places: StorePlaces
    ) throws {
        try stream.readEach(name) { try file.write($0, to: places.staging, "keep \(name) in") }
    }
}
