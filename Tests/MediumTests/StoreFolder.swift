import Foundation
import Host
import ImageCases
import Images
import Model
import Runtime

/// An image store for one test, below a temporary directory, beside files that nobody may touch.
struct StoreFolder: ~Copyable {
    let directory = FileManager.default.temporaryDirectory.appending(path: "ms-\(UUID().uuidString.prefix(8).lowercased())").path
    let store: ImageStore

    init(mostBytes: Int = 1 << 30, mostEntries: Int = 100_000) throws {
        try Files.makeDirectory("\(directory)/outside")
        try Files.write("secret", to: "\(directory)/outside/secret", mode: 0o600)
        store = ImageStore(
            directory: "\(directory)/store", clusters: "\(directory)/clusters", mostBytes: mostBytes, mostEntries: mostEntries)
    }

    deinit { Files.removeTree(directory) }

    /// Loads what is in a file of these bytes.
    @discardableResult
    func load(_ archive: [UInt8], names: [ImageReference] = []) throws -> [ImageRecord] {
        try Files.write(archive, to: "\(directory)/archive.tar")
        return try store.load(try TarArchive("\(directory)/archive.tar"), names: names)
    }

    /// Loads an image of one layer, whose tar goes through a program and a change of its bytes first.
    func load(layer: TarFile, compressed: [String] = [], change: ([UInt8]) -> [UInt8] = { $0 }) throws {
        let image = MadeImage([layer]), id = ContentDigest(of: image.description).hex
        var tar = TarFile()
        tar.add("layer.tar", bytes: change(compressed.isEmpty ? layer.bytes : try MadeImage.piped(compressed, layer.bytes)))
        tar.add("\(id).json", bytes: image.description)
        tar.add("manifest.json", "[{\"Config\":\"\(id).json\",\"RepoTags\":[\"test:1\"],\"Layers\":[\"layer.tar\"]}]")
        try load(tar.bytes)
    }

    func image(_ name: String) throws -> Image? { try ImageReference(name).flatMap(store.resolve) }

    /// Everything that the store holds but its locks and its list.
    var contents: [String] { ["blobs/sha256", "layers", "staging"].flatMap { Files.list("\(directory)/store/\($0)") } }

    /// What the files beside the store are like: names, owners, modes and contents.
    var outside: String {
        Files.list("\(directory)/outside").map { name in
            var info = stat()
            lstat("\(directory)/outside/\(name)", &info)
            return "\(name) \(info.st_mode) \(info.st_uid) \(info.st_nlink) \(Files.text("\(directory)/outside/\(name)") ?? "")"
        }.joined(separator: "\n")
    }
}
