import Glibc
import Host
import Model

/// The image that the cluster's DNS server runs from: one static program of minik's own, which `up` puts in place.
package struct DNSImage: ImageSource {
    /// It is made anew when this changes: its program is not all that it is.
    private static let version = 6

    let root: String

    package init(directory: String = ClusterPaths.images) { root = "\(directory)/\(Image.dns)" }

    package func resolve(_ reference: ImageReference) -> Image? {
        guard reference.digest == nil, reference.repository == "library/\(Image.dns)" else { return nil }
        let configuration = ImageConfiguration(entrypoint: ["/minik-dns"])
        return Image(id: "sha256:\(ShortHash.hex(Image.dns, digits: 64))", configuration: configuration, layers: [root])
    }

    /// It is no user's.
    package func listings() -> [ImageListing] { [] }

    /// Makes it where it is missing or older than its program. It appears whole or not at all.
    package func assemble(progress: (String) -> Void) throws {
        let program = SmallProgram.path("minik-dns")
        var info = stat()
        guard stat(program, &info) == 0 else { throw FileError("look at", program, errno: errno) }
        let stamp = "\(Self.version) \(program) \(info.st_size) \(info.st_mtim.tv_sec)\n"
        if Files.text("\(root).stamp") == stamp, Files.isDirectory(root) { return }
        progress(Image.dns)
        let temporary = "\(root).new"
        Files.removeTree(temporary)
        for directory in ["etc", "proc", "sys", "dev", "run", "tmp"] { try Files.makeDirectory("\(temporary)/\(directory)") }
        try Files.write("root:x:0:0:root:/root:/bin/sh\n", to: "\(temporary)/etc/passwd")
        try Files.write("root:x:0:\n", to: "\(temporary)/etc/group")
        try Files.write(try Files.read(program), to: "\(temporary)/minik-dns", mode: 0o755)
        try Files.makeDirectory("\(temporary)/usr/local/bin")
        for path in ControlPlaneImages.programs.values {
            guard symlink("/minik-dns", temporary + path) == 0 else { throw FileError("link", temporary + path, errno: errno) }
        }
        Files.removeTree(root)
        guard rename(temporary, root) == 0 else { throw FileError("rename to", root, errno: errno) }
        try Files.write(stamp, to: "\(root).stamp")
    }
}
