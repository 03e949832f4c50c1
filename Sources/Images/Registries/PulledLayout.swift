import Glibc
import Host
import Model
import Runtime

/// What skopeo's `dir:` has brought, made an OCI layout: in that form, manifests keep the bytes that their registry gave them.
struct PulledLayout {
    let path: String
    /// Where skopeo puts what it brings: files named by their digests, and the manifest.
    var contents: String { "\(path)/blobs/sha256" }

    init(in folder: PullFolder) throws {
        path = "\(folder.path)/layout"
        try Files.makeDirectory(contents, mode: 0o700)
    }

    /// The bytes that have come.
    var size: Int { Files.list(contents).reduce(0) { $0 + Files.size("\(contents)/\($1)") } }

    /// `top` is what the registry has under the name, an index or the manifest itself.
    func finish(top: [UInt8], digest: ContentDigest, manifest: ContentDigest, name: ImageReference?) throws {
        let file = "\(contents)/manifest.json"
        guard ContentDigest(of: try Files.read(file)) == manifest else {
            throw ImageError("its registry sent another manifest than \(manifest)", hint: "ask the registry's owner")
        }
        guard rename(file, "\(contents)/\(manifest.hex)") == 0 else { throw FileError("rename", file, errno: errno) }
        unlink("\(contents)/version")
        try Files.write(top, to: "\(contents)/\(digest.hex)", mode: 0o600)
        let entry: JSON = [
            "mediaType": try JSON(parsing: top)["mediaType"], "digest": .string(digest.description), "size": .int(top.count),
            "annotations": name.map { ["io.containerd.image.name": .string($0.description)] } ?? .null,
        ]
        let index: JSON = ["schemaVersion": 2, "manifests": [entry]]
        try Files.write(index.bytes(), to: "\(path)/index.json", mode: 0o600)
    }
}
