import Foundation
import Glibc
import Host
import ImageCases
import Images
import Model
import Runtime
import Testing

@Suite("a layer is unpacked as overlayfs wants it, and stays in its directory")
struct LayerUnpackTests {
    /// The first of the arguments that goes wrong is the layer's end.
    private static func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "it went well"
        } catch { return "\(error)" }
    }

    /// An extended attribute's value, or `-`.
    private static func attribute(_ path: String, _ name: String) throws -> String {
        let program = "import os, sys\np, n = sys.argv[1:]\nprint(os.getxattr(p, n).decode() if n in os.listxattr(p) else '-', end='')"
        return String(decoding: try MadeImage.piped(["/usr/bin/python3", "-c", program, path, name], []), as: UTF8.self)
    }

    @Test("whiteouts hide what is below, opaque directories all of it; links, modes, owners and capabilities are as the tar says")
    func whiteouts() throws {
        let folder = try StoreFolder()
        var lower = TarFile(), upper = TarFile()
        for name in ["a", "b", "d/x", "d/y", "e/x", "f/x"] { lower.add(name, "lower\n") }
        upper.add(".wh.a")
        upper.add("d/.wh.x")
        upper.directory("e/")
        upper.add("e/.wh..wh..opq")
        upper.add("e/z", "upper\n")
        upper.add("e/.wh.none")
        // A whiteout before what takes its place: a directory of its own.
        upper.add(".wh.f")
        upper.add("f/new", "upper\n", mode: 0o4755, user: 12, group: 34)
        upper.add("hard", type: "1", link: "f/new")
        upper.add("soft", type: "2", link: "e/z")
        upper.add("device", type: "3", mode: 0o620, device: (1, 3))
        upper.attributes(["user.note": "hello", "trusted.overlay.redirect": "/etc"])
        upper.add("noted", "n")
        try folder.load(try MadeImage.dockerArchive([(MadeImage([lower, upper]), ["x:1"])]))
        var container = try TestContainer()
        container.layers = try #require(try folder.image("x:1")).layers
        let (code, text) = try container.run(
            "busybox ls -A / /d /e /f; cat /soft; busybox stat -c '%a %u %g %h %Y' /f/new /hard; busybox stat -c '%a %t %T' /device")
        let listed = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        func list(_ name: String) -> [String] {
            guard let place = listed.firstIndex(of: "\(name):") else { return [] }
            return listed[(place + 1)...].prefix { !$0.isEmpty }.filter { !$0.hasPrefix("upper") && !$0.contains(" ") }
        }
        #expect(code == 0, "\(text)")
        #expect(!list("/").contains("a") && list("/").contains("b"), "\(text)")
        #expect(list("/d") == ["y"] && list("/e") == ["z"] && list("/f") == ["new"], "\(text)")
        #expect(text.contains("\nupper\n"), "through the link: \(text)")
        #expect(listed.filter { $0 == "4755 12 34 2 1000000000" }.count == 2, "\(text)")
        #expect(listed.contains("620 1 3"), "a device as the tar has it: \(text)")
        let layer = try #require(try folder.image("x:1")?.layers.last)
        #expect(try Self.attribute("\(layer)/noted", "user.note") == "hello")
        #expect(try Self.attribute("\(layer)/noted", "trusted.overlay.redirect") == "-", "overlayfs' own marks are not an image's to set")
        for name in ["e", "f"] { #expect(try Self.attribute("\(layer)/\(name)", "trusted.overlay.opaque") == "y") }
        #expect(!Files.list("\(layer)/e").contains("none"), "what is hidden anyhow needs no whiteout, which would be listed")
    }

    @Test("a directory without an entry is as the layers below have it, whatever an image has there; one that none names is root's, 0755")
    func impliedDirectories() throws {
        let folder = try StoreFolder()
        var lower = TarFile(), other = TarFile(), upper = TarFile()
        for (name, mode, user) in [
            ("tmp/", 0o1777, 0), ("srv/", 0o750, 12), ("srv/app/", 0o2775, 12), ("gone/", 0o700, 3), ("late/", 0o700, 3),
            ("was/", 0o700, 3),
        ] {
            if name == "srv/app/" { lower.attributes(["user.note": "below"]) }
            lower.add(name, type: "5", mode: mode, user: user, group: 34)
        }
        other.add("tmp/", type: "5", mode: 0o711, user: 7)
        upper.add("tmp/.file", "upper\n")
        upper.add("srv/app/deep/file", "upper\n")
        upper.add("late/file", "upper\n")
        upper.directory("late/", mode: 0o710)
        upper.add("gone/.wh..wh..opq")
        upper.add("gone/file", "upper\n")
        upper.add(".wh.was")
        upper.add("was/file", "upper\n")
        try folder.load(try MadeImage.dockerArchive([(MadeImage([lower, upper]), ["x:1"]), (MadeImage([other, upper]), ["y:1"])]))
        func modes(_ image: String) throws -> [String] {
            var container = try TestContainer()
            container.layers = try #require(try folder.image(image)).layers
            let (code, text) = try container.run(
                "cd /; busybox stat -c '%n %a %u %g' tmp srv srv/app srv/app/deep late gone was; cat srv/app/deep/file")
            #expect(code == 0, "\(text)")
            return text.split(separator: "\n").map(String.init)
        }
        let below = ["tmp 1777 0 34", "srv 750 12 34", "srv/app 2775 12 34", "srv/app/deep 755 0 0"]
        let own = ["late 710 0 0", "gone 755 0 0", "was 755 0 0", "upper"]
        #expect(try modes("x:1") == below + own)
        #expect(try modes("y:1") == ["tmp 711 7 0", "srv 755 0 0", "srv/app 755 0 0", "srv/app/deep 755 0 0"] + own)
        // The layers are shared: what differs is one more, of directories alone.
        let x = try #require(try folder.image("x:1")), y = try #require(try folder.image("y:1"))
        #expect(x.layers.count == 3 && y.layers.count == 3 && x.layers[1] == y.layers[1])
        #expect(
            Files.list(x.layers[2]) == ["srv", "tmp"] && Files.list("\(x.layers[2])/srv/app") == []
                && Files.list("\(x.layers[2])/tmp") == [])
        #expect(try Self.attribute("\(x.layers[2])/srv/app", "user.note") == "below")
        _ = try folder.store.remove(["x:1"])
        #expect(Files.isDirectory(y.layers[2]) && !Files.isDirectory(x.layers[2]))
        _ = try folder.store.remove(["y:1"])
        #expect(folder.contents == [])
    }

    @Test(
        "what leads out leads nowhere",
        arguments: ["dots", "absolute", "link", "dangling", "hard", "device", "whiteout", "setuid", "verdict"])
    func hostile(_ kind: String) throws {
        let folder = try StoreFolder()
        let outside = "\(folder.directory)/outside", before = folder.outside, up = String(repeating: "../", count: 24)
        var tar = TarFile()
        switch kind {
        case "dots": tar.add("a/\(up)\(outside)/secret", "evil")
        case "absolute": tar.add("\(outside)/secret", "evil")
        case "link":
            tar.add("up", type: "2", link: outside)
            tar.add("up/secret", "evil")
            tar.add("over", type: "2", link: "\(outside)/secret")
            tar.add("over", "evil")
        case "dangling":
            tar.add("up", type: "2", link: "\(up)\(outside)/new")
            tar.add("up/evil", "evil")
        case "hard":
            tar.add("steal", type: "1", link: "\(up)\(outside)/secret")
        case "device":
            tar.add("disk", type: "4", mode: 0o666, device: (8, 0))
            tar.add("disk/x", "evil")
        case "verdict":
            // A name that reads as if all had gone well.
            tar.add("a\nok \(String(repeating: "0", count: 64)) 1 1 0\n", type: "1", link: "nowhere\nok 0 1 1 0")
        case "whiteout": tar.add("\(up)\(outside)/.wh.secret")
        default:
            tar.add("\(up)\(outside)/secret", "evil", mode: 0o6777, user: 4242, group: 4242)
            tar.directory("\(up)\(outside)", mode: 0o777)
        }
        let said = Self.message { try folder.load(layer: tar) }
        #expect(folder.outside == before, "\(said)")
        #expect(Files.list(outside) == ["secret"])
        if ["hard", "device", "verdict"].contains(kind) {
            #expect(!said.contains("\nok"), "\(said)")
            #expect(said.contains("image docker.io/library/test:1: layer 1"), "\(said)")
            #expect(try folder.contents == [] && folder.store.records().images == [])
        }
    }

    @Test(
        "what cannot be unpacked is told with image and layer, and nothing of it stays",
        arguments: [
            "cut gzip", "corrupt gzip", "cut tar", "no tar", "another content", "too large", "too many", "whiteout of the root",
            "long path", "too deep",
            "loop",
        ])
    func refused(_ kind: String) throws {
        let folder = try StoreFolder(mostBytes: 1 << 20, mostEntries: 50)
        var tar = TarFile(), expected = "damaged"
        tar.add("file", bytes: (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
        var compressed: [String] = [], change: ([UInt8]) -> [UInt8] = { $0 }
        switch kind {
        case "cut gzip": (compressed, change) = (["/bin/gzip", "-c"], { Array($0.dropLast(40)) })
        case "corrupt gzip":
            (compressed, change) = (["/bin/gzip", "-c"], { $0.enumerated().map { $0.offset == 700 ? ~$0.element : $0.element } })
        case "cut tar": change = { Array($0.prefix(3000)) }
        case "no tar":
            change = { _ in Array(repeating: UInt8(ascii: "x"), count: 9000) }
            expected = "no tar"
        case "another content":
            change = { $0.enumerated().map { $0.offset == 600 ? ~$0.element : $0.element } }
            expected = "configuration says"
        case "too large":
            tar.add("more", bytes: [UInt8](repeating: 1, count: 1 << 20))
            expected = "more than 1048576 bytes"
        case "too many":
            for number in 0..<60 { tar.add("f\(number)") }
            expected = "more than 50 files"
        case "too deep":
            for number in 0..<4 { tar.add("d\(number)/\(String(repeating: "d/", count: 20))f") }
            expected = "more than 50 files and directories"
        case "whiteout of the root":
            tar.add("/.wh.")
            expected = "hides no file"
        case "long path":
            tar.add(String(repeating: "abcdefghi/", count: 1000) + "x")
            expected = "a path of 10001 bytes"
        default:
            tar.add("loop", type: "2", link: "loop")
            tar.add("loop/x")
            expected = "loop"
        }
        let said = Self.message { try folder.load(layer: tar, compressed: compressed, change: change) }
        #expect(said.contains("image docker.io/library/test:1: layer 1, layer.tar: ") && said.contains(expected), "\(said)")
        #expect(said.split(separator: "\n").count == 2, "a sentence and what to do: \(said)")
        #expect(try folder.contents == [] && folder.store.records().images == [])
    }

    @Test("layers of gzip, zstd and no compression are one and the same", arguments: ["gzip", "zstd", "none"])
    func compressions(_ kind: String) throws {
        let folder = try StoreFolder()
        var tar = TarFile()
        tar.add("etc/hello", "hello\n")
        let words = ["gzip": ["/bin/gzip", "-c"], "zstd": ["/usr/bin/zstd", "-q", "-c"]][kind] ?? []
        try folder.load(layer: tar, compressed: words)
        let image = try #require(try folder.image("test:1"))
        #expect(image.layers == ["\(folder.directory)/store/layers/\(ContentDigest(of: tar.bytes).hex)"])
        #expect(image.text("etc/hello") == "hello\n")
    }

    @Test("an image of 127 layers is mounted, whatever their paths come to; so is one that has a layer twice")
    func manyLayers() throws {
        let folder = try StoreFolder()
        let tars = (1...126).map { number -> TarFile in
            var tar = TarFile()
            tar.add("n/\(number)", "\(number)\n")
            tar.add("last", "\(number)\n")
            return tar
        }
        try folder.load(try MadeImage.dockerArchive([(MadeImage(tars + [tars[0]]), ["deep:1"])]))
        let image = try #require(try folder.image("deep:1"))
        #expect(image.layers.count == 126 && image.layers.joined().utf8.count > 4096)
        var container = try TestContainer()
        container.layers = image.layers
        let (code, text) = try container.run("busybox ls /n | busybox wc -l; cat /n/1 /n/126 /last")
        #expect((code, text) == (0, "126\n1\n126\n1\n"))
    }
}
