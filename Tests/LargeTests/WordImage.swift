import Foundation
import Glibc
import Host
import ImageCases
import Runtime

/// An archive with an image of two layers that says a word and sleeps.
enum WordImage {
    /// Calls `body` with the archive's path; it is removed afterwards, and so is what this machine has under `names`.
    static func with(_ names: [String], word: String = "from a registry", _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "image-\(UUID().uuidString).tar").path
        defer {
            unlink(file)
            for name in names { Shell.minik("image rm \(name)") }
            Shell.minik("image prune")
        }
        var base = TarFile(), app = TarFile()
        base.add("bin/busybox", bytes: try Files.read("/bin/busybox"), mode: 0o755)
        for name in ["sh", "cat", "sleep", "echo"] { base.add("bin/\(name)", type: "2", link: "busybox") }
        app.add("etc/word", "\(word)\n")
        app.add("current", type: "2", link: "/")
        var image = MadeImage([base, app])
        image.configuration = ["Cmd": ["sh", "-c", "cat /etc/word; sleep 1000"], "Env": ["PATH=/bin"]]
        try Files.write(try MadeImage.dockerArchive([(image, ["app:1"])]), to: file)
        try body(file)
    }
}
