import Foundation
import Glibc
import Host
import ImageCases
import Images
import Model
import Runtime
import Testing

@Suite("the image store: whole or not at all, and what a pod has stays")
struct ImageStoreTests {
    private static func tar(_ text: String) -> TarFile {
        var tar = TarFile()
        tar.add("etc/who", text)
        return tar
    }

    private static func use(_ folder: borrowing StoreFolder) -> (use: ImageUse, state: String) {
        let state = "\(folder.directory)/clusters/lab/pods/u-1"
        return (ImageUse(state: state, container: "web", pod: ObjectKey("default", "web-1")), state)
    }

    @Test("a list of images that is damaged is named, and left as it is", arguments: ["", "{", "[]", "{\"version\": 2}"])
    func damagedList(_ text: String) throws {
        let folder = try StoreFolder(), list = "\(folder.directory)/store/images.json"
        try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("one")]), ["one:1"])]))
        try Files.write(text, to: list)
        let error = try #require(throws: ImageError.self) { try folder.image("one:1") }
        #expect(error.message.hasPrefix("the list of this machine's images, \(list), cannot be read: ") && error.hint != nil)
        #expect(throws: ImageError.self) { try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("two")]), ["two"])])) }
        #expect(Files.text(list) == text)
    }

    @Test("what a load returns has the names that it gave, and no others")
    func namesOfALoad() throws {
        let folder = try StoreFolder(), archive = try MadeImage.dockerArchive([(MadeImage([Self.tar("one")]), ["one:1"])])
        #expect(try folder.load(archive).map(\.names) == [["docker.io/library/one:1"]])
        let other = try #require(ImageReference("other:2"))
        #expect(try folder.load(archive, names: [other]).map(\.names) == [["docker.io/library/other:2"]])
        #expect(try folder.store.records().images.map(\.names) == [["docker.io/library/one:1", "docker.io/library/other:2"]])
    }

    @Test("on a full disk an image is not there at all; what was there stays, and can be removed", arguments: ["blob", "layer"])
    func fullDisk(_ what: String) throws {
        let folder = try StoreFolder(), disk = "\(folder.directory)/store"
        try Files.makeDirectory(disk, mode: 0o700)
        _ = try MadeImage.piped(["/usr/bin/mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], [])
        defer { _ = try? MadeImage.piped(["/usr/bin/umount", disk], []) }
        try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("one")]), ["one:1"])]))
        let before = folder.contents
        var large = TarFile()
        large.add("file", bytes: [UInt8](repeating: 1, count: 6 << 20))
        // Packed it is small, and does not fit when it is unpacked.
        let archive = try MadeImage.dockerArchive(
            [(MadeImage([Self.tar("two"), large]), ["large:1"])], compressed: what == "layer" ? ["/usr/bin/gzip", "-c"] : [])
        let error = try #require(throws: ImageError.self) { try folder.load(archive) }
        #expect(error.message.hasPrefix("image docker.io/library/large:1: layer 2, "), "\(error)")
        #expect("\(error)".contains("the disk is full") && error.hint?.contains("minik image prune --all makes room") == true, "\(error)")
        #expect(try folder.contents == before && folder.image("one:1") != nil && folder.image("large:1") == nil)
        #expect(try folder.store.remove(["one:1"]).names == ["docker.io/library/one:1"])
        #expect(folder.contents == [])
    }

    @Test("an image whose content is gone can be removed, and so can others")
    func removesDamaged() throws {
        let folder = try StoreFolder()
        for name in ["one:1", "two:1"] { try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar(name)]), [name])])) }
        let one = try #require(try folder.store.records().images.first)
        unlink("\(folder.directory)/store/blobs/sha256/\(one.id.hex)")
        #expect(try folder.store.remove(["two:1"]).names == ["docker.io/library/two:1"])
        #expect(try folder.store.remove(["one:1"]).names == ["docker.io/library/one:1"])
        #expect(folder.contents == [])
    }

    @Test("a layer that comes twice, the second time as a link to the first, is one layer")
    func linkedLayer() throws {
        let folder = try StoreFolder(), layer = Self.tar("one"), middle = Self.tar("two")
        let image = MadeImage([layer, middle, layer]), id = ContentDigest(of: image.description).hex
        var tar = TarFile()
        tar.add("aaa/layer.tar", bytes: layer.bytes)
        tar.add("bbb/layer.tar", bytes: middle.bytes)
        tar.add("ccc/layer.tar", type: "2", link: "../aaa/layer.tar")
        tar.add("\(id).json", bytes: image.description)
        tar.add(
            "manifest.json",
            "[{\"Config\":\"\(id).json\",\"RepoTags\":[\"old:1\"],\"Layers\":[\"aaa/layer.tar\",\"bbb/layer.tar\",\"ccc/layer.tar\"]}]")
        try folder.load(tar.bytes)
        #expect(try folder.image("old:1")?.text("etc/who") == "one")
        #expect(Files.list("\(folder.directory)/store/layers").filter { !$0.hasSuffix(".json") }.count == 2)
    }

    @Test("several images of one file are there with all their names, share what they share, and say what they are")
    func several() throws {
        let folder = try StoreFolder()
        var first = MadeImage([Self.tar("base"), Self.tar("one")])
        first.configuration = ["Cmd": ["run"], "User": "web", "WorkingDir": "/srv", "StopSignal": "SIGQUIT"]
        let second = MadeImage([Self.tar("base"), Self.tar("two")])
        let loaded = try folder.load(try MadeImage.dockerArchive([(first, ["one:1", "ghcr.io/x/one:2"]), (second, ["two"])]))
        #expect(loaded.map(\.names) == [["docker.io/library/one:1", "ghcr.io/x/one:2"], ["docker.io/library/two:latest"]])
        let one = try #require(try folder.image("one:1")), two = try #require(try folder.image("two"))
        #expect(try folder.image("ghcr.io/x/one:2") == one)
        #expect(one.layers[0] == two.layers[0] && one.text("etc/who") == "one" && two.text("etc/who") == "two")
        #expect(one.configuration.command == ["run"] && one.configuration.user == "web" && one.configuration.workingDirectory == "/srv")
        #expect(one.configuration.stopSignal == Int(SIGQUIT) && one.id == ContentDigest(of: first.description).description)
        let digest = try #require(one.digest)
        #expect(try folder.image("any.example/name@\(digest)") == one, "a digest is the image, whatever its name")
        #expect(try one.statusID(try #require(ImageReference("one:1"))) == "docker.io/library/one@\(digest)")
        #expect(Files.list("\(folder.directory)/store/layers").filter { !$0.hasSuffix(".json") }.count == 3)
        #expect(Files.list("\(folder.directory)/store/staging") == [])
    }

    @Test("the same again changes nothing; another image takes the name, and the first one stays until it is pruned")
    func again() throws {
        let folder = try StoreFolder()
        let archive = try MadeImage.dockerArchive([(MadeImage([Self.tar("1")]), ["x"])], compressed: ["/bin/gzip", "-c"])
        try folder.load(archive)
        let before = try folder.store.records(), files = folder.contents
        try folder.load(archive)
        #expect(try folder.store.records() == before && folder.contents == files)
        try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("2")]), ["x"])]))
        #expect(try folder.image("x")?.text("etc/who") == "2")
        #expect(try folder.store.records().images.map(\.names) == [[], ["docker.io/library/x:latest"]])
        let removal = try folder.store.prune(all: false)
        #expect(removal.images == before.images.map { ImageRecord($0, names: []) } && removal.bytes > 0)
        #expect(try folder.image("x")?.text("etc/who") == "2")
        #expect(folder.contents.count == 5, "a layer with its facts, a configuration, a manifest and a blob: \(folder.contents)")
    }

    @Test("a layout's index gives this machine its own, passes over attestations, and is known by its digest, too")
    func platforms() throws {
        let folder = try StoreFolder()
        let layout = "\(folder.directory)/layout"
        var other = MadeImage([Self.tar("other")])
        other.platform = Platform(os: "linux", architecture: "s390x")
        var attestation = try MadeImage([Self.tar("attestation")]).write(to: layout)
        attestation["platform"] = ["os": "unknown", "architecture": "unknown"]
        let own = try MadeImage([Self.tar("own")]).write(to: layout, compress: ["/bin/gzip", "-c"])
        var index = try MadeImage.index([attestation, try other.write(to: layout), own], in: layout)
        index["annotations"] = ["io.containerd.image.name": "docker.io/library/many:1", "org.opencontainers.image.ref.name": "1"]
        try MadeImage.layout([index], in: layout)
        try folder.store.load(LayoutDirectory(layout))
        let image = try #require(try folder.image("many:1"))
        #expect(image.text("etc/who") == "own" && image.digest == index["digest"].string)
        for digest in [index["digest"].string, own["digest"].string] {
            #expect(try folder.image("many@\(try #require(digest))") == image)
        }
        // And for others alone there is a sentence.
        try MadeImage.layout([try other.write(to: layout)], in: layout)
        #expect {
            try folder.store.load(LayoutDirectory(layout))
        } throws: {
            "\($0)".contains("it is for linux/s390x, and this machine is linux/") && "\($0)".contains("--platform")
        }
    }

    @Test("a blob that is not what its digest says is refused, and the image with it", arguments: ["changed", "gone"])
    func damagedBlob(_ kind: String) throws {
        let folder = try StoreFolder()
        let layout = "\(folder.directory)/layout", layer = Self.tar("x")
        var entry = try MadeImage([layer]).write(to: layout)
        entry["annotations"] = ["org.opencontainers.image.ref.name": "localhost/x:1"]
        try MadeImage.layout([entry], in: layout)
        let blob = "\(layout)/blobs/sha256/\(ContentDigest(of: layer.bytes).hex)"
        if kind == "gone" { unlink(blob) } else { try Files.write(layer.bytes + [0], to: blob) }
        #expect {
            try folder.store.load(LayoutDirectory(layout))
        } throws: {
            "\($0)".hasPrefix("image localhost/x:1: layer 1, sha256:") && "\($0)".contains(kind == "gone" ? "lacks it" : "does not match")
        }
        #expect(folder.contents == [])
    }

    @Test("an archive without an image, and one that is none, are told from each other", arguments: ["empty", "other", "cut", "garbage"])
    func noImage(_ kind: String) throws {
        let folder = try StoreFolder()
        var tar = TarFile()
        if kind == "other" { tar.add("README", "nothing here") }
        let whole = try MadeImage.dockerArchive([(MadeImage([Self.tar("x")]), ["x"])])
        let bytes = ["cut": Array(whole.prefix(1800)), "garbage": Array(repeating: 7, count: 5000)][kind] ?? tar.bytes
        #expect {
            try folder.load(bytes)
        } throws: {
            "\($0)".contains("archive.tar") && "\($0)".contains(["cut", "garbage"].contains(kind) ? "cannot be read" : "holds no image")
        }
        #expect(folder.contents == [])
    }

    @Test("what a pod has is neither removed nor pruned; with the pod it may go")
    func inUse() throws {
        let folder = try StoreFolder()
        try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("x")]), ["x", "y"])]))
        let (use, state) = Self.use(folder), name = try #require(ImageReference("x"))
        let image = try #require(try folder.store.resolve(name, for: use))
        #expect(try folder.store.remove(["y"]).names == ["docker.io/library/y:latest"], "a name of several may go")
        for text in ["x", String(image.id.dropFirst(7).prefix(12))] {
            #expect {
                try folder.store.remove([text])
            } throws: {
                "\($0)".contains("is in use by pod default/web-1 of cluster lab")
            }
        }
        #expect(try folder.store.prune(all: true).images == [])
        #expect(try folder.image("x") == image && image.text("etc/who") == "x")
        Files.removeTree(state)
        #expect(try folder.store.remove(["x"]).images.map(\.id.description) == [image.id])
        #expect(try folder.contents == [] && folder.image("x") == nil)
    }

    @Test("what a killed load has left goes with the next change, and was never an image")
    func leftovers() throws {
        let folder = try StoreFolder()
        try folder.load(try MadeImage.dockerArchive([(MadeImage([Self.tar("x")]), ["x"])]))
        let staging = "\(folder.directory)/store/staging/77-1"
        try Files.makeDirectory("\(staging)/abc/etc")
        try Files.write("half", to: "\(staging)/blob-0")
        #expect(try folder.store.records().images.count == 1)
        try folder.store.tag("x", try #require(ImageReference("z:2")))
        #expect(Files.list("\(folder.directory)/store/staging") == [])
        #expect(try folder.image("z:2") == folder.image("x"))
    }

    @Test("an archive that comes as a stream is loaded as from a file, under the name it is given")
    func stream() throws {
        let folder = try StoreFolder()
        let file = "\(folder.directory)/piped"
        try Files.write(try MadeImage.dockerArchive([(MadeImage([Self.tar("x")]), [])]), to: file)
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        let name = try #require(ImageReference("app:dev"))
        #expect(try folder.store.load(stream: descriptor, names: [name]).map(\.names) == [[name.description]])
        #expect(try folder.image("app:dev")?.text("etc/who") == "x")
    }
}

extension ImageRecord {
    fileprivate init(_ other: ImageRecord, names: [String]) {
        self = other
        self.names = names
    }
}
