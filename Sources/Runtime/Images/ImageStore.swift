import Glibc
import Model

/// The built-in images, assembled once from what Debian installs. Containers see them through overlays of their own.
package struct ImageStore: Sendable {
    /// The images users may name.
    package static let published = ["busybox", "httpd"]

    private let directory: String

    package init(directory: String = ClusterPaths.images) { self.directory = directory }

    /// The image that `reference` names, whatever its tag.
    package func image(_ reference: String) throws -> Image {
        let name = Image.shortName(reference)
        let root = "\(directory)/\(name)"
        switch name {
        case "busybox":
            return Image(
                name: name, root: root, entrypoint: [], command: ["sh"], environment: ["PATH=\(Image.standardPath)"], workingDirectory: "/",
                stopSignal: Int(SIGTERM))
        case "httpd":
            let prefix = HTTPDImage.prefix
            return Image(
                name: name, root: root, entrypoint: [], command: ["httpd-foreground"],
                environment: ["PATH=\(prefix)/bin:\(Image.standardPath)", "HTTPD_PREFIX=\(prefix)"], workingDirectory: prefix,
                stopSignal: Int(SIGWINCH))
        case Image.dns:
            return Image(
                name: name, root: root, entrypoint: ["/minik-dns"], command: [], environment: ["PATH=\(Image.standardPath)"],
                workingDirectory: "/", stopSignal: Int(SIGTERM))
        default: throw ImageNotFound(reference: reference)
        }
    }

    /// Assembles what is missing or older than what it is made of. An image appears whole or not at all.
    package func assemble(progress: (String) -> Void) throws {
        for (name, build) in [("busybox", BusyboxImage.build), ("httpd", HTTPDImage.build), (Image.dns, DNSImage.build)]
            as [(String, (String) throws -> Void)]
        {
            let root = "\(directory)/\(name)"
            let stamp = try Self.stamp(name)
            if Files.text("\(root).stamp") == stamp, Files.isDirectory(root) { continue }
            progress(name)
            let temporary = "\(root).new"
            Files.removeTree(temporary)
            try Files.makeDirectory(temporary)
            do { try build(temporary) } catch {
                Files.removeTree(temporary)
                throw error
            }
            // A running container keeps the directories it has mounted; new ones get the new image.
            Files.removeTree(root)
            guard rename(temporary, root) == 0 else { throw FileError("rename to", root, errno: errno) }
            try Files.write(stamp, to: "\(root).stamp")
        }
    }

    /// What an image was made of: path, size and time of its programs, and the recipe's version.
    private static func stamp(_ name: String) throws -> String {
        let sources =
            switch name {
            case "busybox": [BusyboxImage.program]
            case "httpd": [HTTPDImage.program, BusyboxImage.program]
            default: [SmallProgram.path("minik-dns")]
            }
        return try sources.map { path in
            var info = stat()
            guard stat(path, &info) == 0 else {
                let package = path == HTTPDImage.program ? "apache2-bin" : path == BusyboxImage.program ? "busybox-static" : "minik"
                throw MissingProgram(path: path, package: package)
            }
            return "4 \(path) \(info.st_size) \(info.st_mtim.tv_sec)\n"
        }.joined()
    }
}

package struct MissingProgram: Error, CustomStringConvertible {
    package let path: String
    package let package: String
    package var description: String { "\(path) is missing: install the Debian package \(package)" }
}
