import Foundation
import Host
import Images
import Model
import Runtime
import Testing

@Suite("images: what they are called, and who has them")
struct ImageTests {
    private static let digest = "sha256:" + String(repeating: "0a", count: 32)

    @Test(
        "an image's whole name has a registry and a tag or a digest",
        arguments: [
            ("busybox", "docker.io/library/busybox:latest"), ("library/httpd:2.4", "docker.io/library/httpd:2.4"),
            ("docker.io/httpd", "docker.io/library/httpd:latest"), ("a/b__c/d-e--f.g", "docker.io/a/b__c/d-e--f.g:latest"),
            ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"), ("ghcr.io/x/y:1_A.b-c", "ghcr.io/x/y:1_A.b-c"),
            ("localhost/x@\(digest)", "localhost/x@\(digest)"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"), ("[fe80::1]/x", "[fe80::1]/x:latest"), ("Host/x", "Host/x:latest"),
            ("index.docker.io/x", "docker.io/library/x:latest"), ("index.docker.io/a/b", "docker.io/a/b:latest"),
            ("x@sha512:" + String(repeating: "a", count: 128), "docker.io/library/x@sha512:" + String(repeating: "a", count: 128)),
            (String(repeating: "a", count: 63) + "x", "docker.io/library/" + String(repeating: "a", count: 63) + "x:latest"),
            ("x:1@\(digest)", "docker.io/library/x:1@\(digest)"),
        ])
    func names(_ short: String, _ full: String) throws {
        let reference = try #require(ImageReference(short))
        #expect(reference.description == full)
        #expect(ImageReference(full) == reference, "the whole name names the same")
    }

    @Test(
        "what is no name of an image",
        arguments: [
            "", "UPPER", "a b", "a:", "a:b:c", "a:-x", "a//b", "/a", "a/", "-a", "a.", "a..b", "a___b", "a@sha256:12", "a@sha256", "x.y:/a",
            "x.y:80:90/a", "registry.example/", "a:" + String(repeating: "x", count: 129), "a@sha256:" + String(repeating: "G", count: 64),
            "-x.y/a", "a@md5:" + String(repeating: "0", count: 32), "a@sha256:" + String(repeating: "0", count: 63),
            "a@sha256:" + String(repeating: "A", count: 64), "a@sha512:" + String(repeating: "0", count: 64),
            String(repeating: "0", count: 64), String(repeating: "x", count: 256), "[::1/x", "[]:5000/x", "[::1]x/a", "[::1]:/a", "[g::]/a",
        ])
    func refused(_ text: String) { #expect(ImageReference(text) == nil) }

    /// Has what it was told to have.
    private struct Shelf: ImageSource {
        let names: [String]
        var fails = false
        struct Away: Error {}

        func listings() -> [ImageListing] { names.map { ImageListing(names: [$0], size: 1) } }

        func resolve(_ reference: ImageReference) throws -> Image? {
            if fails { throw Away() }
            return names.contains(reference.name) ? Image(id: names.joined(), configuration: .init(), layers: []) : nil
        }
    }

    @Test("sources are asked in order; one that cannot answer is an error, not an image that is not there")
    func order() async throws {
        let sources = ImageSources([Shelf(names: ["a"]), Shelf(names: ["a", "b"])])
        let a = try #require(ImageReference("a")), b = try #require(ImageReference("b")), c = try #require(ImageReference("c"))
        #expect(try await sources.resolve(a)?.id == "a")
        #expect(try await sources.resolve(b)?.id == "ab")
        #expect(try await sources.resolve(c) == nil)
        #expect(try await sources.listings().flatMap(\.names) == ["a", "a", "b"])
        let broken = ImageSources([Shelf(names: [], fails: true), Shelf(names: ["a"])])
        await #expect(throws: Shelf.Away.self) { try await broken.resolve(a) }
    }

    @Test("the cluster's DNS has an image of its own, which nobody else's name or digest means, and which is in no list")
    func dns() throws {
        let image = DNSImage(directory: "/images")
        func resolve(_ name: String) throws -> Image? { image.resolve(try #require(ImageReference(name))) }
        #expect(try resolve("minik-dns")?.layers == ["/images/minik-dns"])
        #expect(try resolve("team/minik-dns") == nil && resolve("minik-dns@\(Self.digest)") == nil && resolve("busybox") == nil)
        #expect(image.listings().isEmpty)
    }

    @Test("a file is the topmost layer's that has it; a link in a layer leads nowhere else")
    func layers() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "layers-\(UUID().uuidString)").path
        defer { Files.removeTree(root) }
        for (layer, files) in [("1", ["both", "below"]), ("2", ["both"])] {
            try Files.makeDirectory("\(root)/\(layer)/etc")
            for file in files { try Files.write("\(file) of \(layer)", to: "\(root)/\(layer)/etc/\(file)") }
        }
        try Files.write("outside", to: "\(root)/outside")
        try FileManager.default.createSymbolicLink(atPath: "\(root)/2/etc/link", withDestinationPath: "../../outside")
        let image = Image(id: "", configuration: .init(), layers: ["\(root)/1", "\(root)/2"])
        #expect(image.text("etc/both") == "both of 2" && image.text("etc/below") == "below of 1")
        #expect(image.text("etc/none") == nil && image.text("etc/link") == nil)
    }

    @Test("what pulls left goes when their process has, and not before")
    func leftPulls() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "images-\(UUID().uuidString)").path
        defer { Files.removeTree(root) }
        let own = try #require(ProcessIdentity(pid: Int(getpid())))
        // The same number, at another time, is another process.
        for name in ["\(own.pid)-\(own.startTime)-1", "\(own.pid)-\(own.startTime + 1)-2", "1-1-3", "4-5", "x"] {
            try Files.makeDirectory("\(root)/pulls/\(name)")
        }
        ImageStore(directory: root).forgetPulls()
        #expect(Files.list("\(root)/pulls") == ["\(own.pid)-\(own.startTime)-1"])
    }
}
