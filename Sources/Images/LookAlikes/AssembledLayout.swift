import Glibc
import Host
import Model
import Runtime

/// An image of one layer, as an OCI layout that the store takes in like any other.
struct AssembledLayout {
    let recipe: ImageRecipe
    /// What it was made of, for `image history`.
    let origin: String
    let folder: String
    let program: QuietProgram

    private var path: String { "\(folder)/layout" }
    private var blobs: String { "\(path)/blobs/sha256" }

    /// Packs the directory; where the layout lies. The same files make the same image.
    func make(of tree: String) throws -> String {
        try Files.makeDirectory(blobs)
        let tar = "\(folder)/layer.tar", packed = "\(tar).gz"
        try program.run([
            "/bin/tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--format=gnu", "-C", tree, "-cf", tar, ".",
        ])
        let content = try Self.digest(tar)
        try program.run(["/bin/gzip", "-n", "-1", "-k", tar])
        let layer = ContentDescriptor(
            mediaType: ImageManifest.layerType + "+gzip", digest: try Self.digest(packed), size: Files.size(packed))
        guard rename(packed, "\(blobs)/\(layer.digest.hex)") == 0 else { throw FileError("rename", packed, errno: errno) }
        let configuration = try keep(description(content).bytes(), as: ImageManifest.configurationType)
        let manifest = try keep(ImageManifest(configuration: configuration, layers: [layer]).bytes, as: ImageManifest.mediaType)
        try Files.write(#"{"imageLayoutVersion":"1.0.0"}"#, to: "\(path)/oci-layout")
        let index: JSON = ["schemaVersion": 2, "manifests": [manifest.json]]
        try Files.write(index.bytes(), to: "\(path)/index.json")
        return path
    }

    /// What the image says of itself.
    private func description(_ layer: ContentDigest) -> JSON {
        let platform = Platform.machine
        var config = recipe.config
        config["Labels"][ImageRecipe.label] = .string(recipe.name)
        return [
            "architecture": .string(platform.architecture), "variant": platform.variant.isEmpty ? .null : .string(platform.variant),
            "os": .string(platform.os), "config": config, "rootfs": ["type": "layers", "diff_ids": [.string(layer.description)]],
            "history": [["created_by": .string(origin), "comment": .string("minik's look-alike of \(recipe.title)")]],
        ]
    }

    private func keep(_ bytes: [UInt8], as mediaType: String) throws -> ContentDescriptor {
        let digest = ContentDigest(of: bytes)
        try Files.write(bytes, to: "\(blobs)/\(digest.hex)")
        return ContentDescriptor(mediaType: mediaType, digest: digest, size: bytes.count)
    }

    private static func digest(_ path: String) throws -> ContentDigest {
        let hash = RunningDigest()
        try Files.readEach(path) { hash.add($0) }
        return hash.finish()
    }
}
