import Foundation
import Glibc
import Host
import ImageCases
import Images
import Model
import Runtime
import Testing

@Suite("images that leave the store, and root file systems that become images")
struct ImageSaveTests {
    private static func tar(_ text: String) -> TarFile {
        var tar = TarFile()
        tar.add("etc/who", text)
        return tar
    }

    /// A store with one image of an index, one of docker's archive under two names, which share a layer.
    private static func filled() throws -> StoreFolder {
        let folder = try StoreFolder(), layout = "\(folder.directory)/layout"
        let entry = try MadeImage([tar("base"), tar("indexed")]).write(to: layout, compress: ["/usr/bin/gzip"])
        var top = try MadeImage.index([entry], in: layout)
        top["annotations"] = ["io.containerd.image.name": "r.example/indexed:1"]
        try MadeImage.layout([top], in: layout)
        try folder.store.load(path: layout)
        try folder.load(try MadeImage.dockerArchive([(MadeImage([tar("base"), tar("plain")]), ["plain:1", "r.example/plain:2"])]))
        return folder
    }

    private static func facts(_ store: ImageStore) throws -> [[String]] {
        try store.records().images.map { [$0.digest.description, $0.id.description] + $0.names }.sorted { $0[0] < $1[0] }
    }

    @Test("what is saved is loaded again with the names, IDs and digests that it had", arguments: ArchiveFormat.allCases)
    func again(_ format: ArchiveFormat) throws {
        let folder = try Self.filled(), other = try StoreFolder(), file = "\(folder.directory)/saved.tar"
        try folder.store.save(["r.example/indexed:1", "plain:1", "r.example/plain:2"], as: format, path: file)
        try other.store.load(path: file)
        #expect(try Self.facts(other.store) == Self.facts(folder.store))
        #expect(try other.image("plain:1")?.text("etc/who") == "plain")
        let first = try Files.read(file)
        try folder.store.save(["r.example/indexed:1", "plain:1", "r.example/plain:2"], as: format, path: file)
        #expect(try Files.read(file) == first, "the same images make the same bytes")
        #expect(Files.list("\(folder.directory)/store/pulls") == [] && Files.list(folder.directory).allSatisfy { !$0.hasSuffix(".new") })
    }

    @Test("by its name an image leaves under that name, by its ID under all")
    func names() throws {
        let folder = try Self.filled(), file = "\(folder.directory)/saved.tar"
        func saved(_ text: String) throws -> [String] {
            try folder.store.save([text], as: .docker, path: file)
            return try StoreFolder().store.load(path: file).flatMap(\.names)
        }
        #expect(try saved("plain:1") == ["docker.io/library/plain:1"])
        let id = try #require(try folder.store.records().find("plain:1")).id
        #expect(try saved(id.short) == ["docker.io/library/plain:1", "r.example/plain:2"])
    }

    @Test("what is not there, or is damaged on the disk, is named, and what was in the file's place stays")
    func damaged() throws {
        let folder = try Self.filled(), file = "\(folder.directory)/saved.tar"
        try Files.write("before", to: file)
        #expect(throws: ImageError.self) { try folder.store.save(["plain:1", "none"], as: .docker, path: file) }
        let record = try folder.store.records().find("plain:1")
        let layer = try #require(try folder.store.contents(of: record).manifest.layers.last)
        try Files.write([UInt8](repeating: 1, count: layer.size), to: "\(folder.directory)/store/blobs/sha256/\(layer.digest.hex)")
        let error = #expect(throws: ImageError.self) { try folder.store.save(["plain:1"], as: .oci, path: file) }
        #expect(error?.message == "image docker.io/library/plain:1: its content \(layer.digest) is damaged on this machine's disk")
        unlink("\(folder.directory)/store/blobs/sha256/\(layer.digest.hex)")
        let gone = #expect(throws: ImageError.self) { try folder.store.save(["plain:1"], as: .oci, path: file) }
        #expect(gone?.message.contains("its content \(layer.digest) cannot be had") == true)
        #expect(Files.text(file) == "before" && Files.list(folder.directory).allSatisfy { !$0.hasSuffix(".new") })
    }

    @Test("a look-alike that is not assembled is told as one", arguments: ["nginx", "docker.io/library/nginx:1.27", "busybox"])
    func notAssembled(_ name: String) throws {
        let folder = try StoreFolder()
        for ask in [
            { _ = try folder.store.remove([name]) }, { try folder.store.save([name], as: .oci, path: "\(folder.directory)/x.tar") },
            { try folder.store.tag(name, try #require(ImageReference("x:1"))) }, { _ = try folder.store.records().find(name) },
        ] as [() throws -> Void] {
            let error = try #require(throws: ImageError.self) { try ask() }
            #expect(
                error.message == "image \"\(name)\" is a look-alike of minik's that is not assembled yet"
                    && error.hint?.contains("minik image assemble") == true)
        }
        #expect(!Files.exists("\(folder.directory)/x.tar"))
        let other = try #require(throws: ImageError.self) { try folder.store.records().find("quay.example/acme/nginx") }
        #expect(other.message == "there is no image \"quay.example/acme/nginx\"")
    }

    @Test("an image of which a content is gone is told, and the others are listed")
    func listed() throws {
        let folder = try Self.filled(), id = try folder.store.records().find("plain:1").id
        unlink("\(folder.directory)/store/blobs/sha256/\(id.hex)")
        var complaints: [String] = []
        #expect(try folder.store.summaries { complaints.append($0) }.flatMap(\.record.names) == ["r.example/indexed:1"])
        #expect(complaints.count == 1 && complaints[0].hasPrefix("image docker.io/library/plain:1: its content \(id) cannot be read"))
        #expect(try folder.store.listings().count == 1)
    }

    // MARK: import

    @Test("a tar, compressed or not, and a directory become an image of one layer, with what is said of it")
    func imported() throws {
        let folder = try StoreFolder(), tar = Self.tar("mine").bytes
        let changes = try ["CMD [\"run\"]", "USER 7", "VOLUME data"].map { try ImageChange($0) }
        for (number, command) in [[], ["/usr/bin/gzip"], ["/usr/bin/xz"], ["/usr/bin/zstd"]].enumerated() {
            let file = "\(folder.directory)/root.tar", name = try #require(ImageReference("mine:\(number)"))
            try Files.write(command.isEmpty ? tar : try MadeImage.piped(command, tar), to: file)
            try folder.store.load(RootImport(.file(file), name: name, changes: changes, message: "made"))
            let image = try #require(try folder.image("mine:\(number)"))
            #expect(image.text("etc/who") == "mine" && image.layers.count == 1)
            #expect(image.configuration.command == ["run"] && image.configuration.user == "7" && image.configuration.volumes == ["data"])
        }
        let root = "\(folder.directory)/root"
        try Files.makeDirectory("\(root)/etc")
        try Files.write("of a directory", to: "\(root)/etc/who")
        chown("\(root)/etc/who", 1234, 2345)
        chmod("\(root)/etc/who", 0o4640)
        link("\(root)/etc/who", "\(root)/etc/linked")
        try folder.store.load(RootImport(.directory(root), name: try #require(ImageReference("mine:dir"))))
        let image = try #require(try folder.image("mine:dir"))
        var info = stat(), other = stat()
        #expect(stat("\(image.layers[0])/etc/who", &info) == 0 && stat("\(image.layers[0])/etc/linked", &other) == 0)
        #expect(info.st_uid == 1234 && info.st_gid == 2345 && info.st_mode & 0o7777 == 0o4640 && info.st_ino == other.st_ino)
        #expect(try folder.store.summary(folder.store.records().find("mine:dir")).history.map(\.step.comment) == ["Imported from \(root)"])
        #expect(Files.list("\(folder.directory)/store/pulls") == [])
    }

    @Test("what is no root file system is no image", arguments: ["", "some text"])
    func noRoot(_ text: String) throws {
        let folder = try StoreFolder(), file = "\(folder.directory)/root.tar"
        try Files.write(text, to: file)
        #expect(throws: ImageError.self) { try folder.store.load(RootImport(.file(file))) }
        #expect(folder.contents == [] && Files.list("\(folder.directory)/store/pulls") == [])
    }

    @Test("a layer that leads out of its directory leads nowhere when it is imported, too")
    func hostile() throws {
        let folder = try StoreFolder(), before = folder.outside, file = "\(folder.directory)/root.tar"
        var tar = TarFile()
        tar.add("out", type: "2", link: "\(folder.directory)/outside")
        tar.add("out/secret", "changed")
        tar.add("../../../../../../\(folder.directory)/outside/new", "new")
        try Files.write(tar.bytes, to: file)
        _ = try? folder.store.load(RootImport(.file(file), name: try #require(ImageReference("hostile"))))
        #expect(folder.outside == before)
    }
}
