import Glibc
import Host
import Model
import Runtime

/// An image as an OCI layout that the store takes in like any other.
struct AssembledLayout {
    let recipe: ImageRecipe
    /// What it was made of, for `image history`.
    let origin: String
    let folder: String
    let program: QuietProgram

    /// A directory that becomes a layer.
    struct Tree {
        let path: String
        /// A program of a hundred megabytes is there sooner as it is.
        let isPacked: Bool
    }

    private var path: String { "\(folder)/layout" }
    private var blobs: String { "\(path)/blobs/sha256" }

    /// Packs directories, a layer each, the lowest first; where the layout lies. The same files make the same image.
    func make(of trees: [Tree]) throws -> String {
        try Files.makeDirectory(blobs)
        let layers = try trees.map(layer)
        let configuration = try keep(description(layers.map(\.content)).bytes(), as: ImageManifest.configurationType)
        let manifest = try keep(
            ImageManifest(configuration: configuration, layers: layers.map(\.blob)).bytes, as: ImageManifest.mediaType)
        try Files.write(#"{"imageLayoutVersion":"1.0.0"}"#, to: "\(path)/oci-layout")
        let index: JSON = ["schemaVersion": 2, "manifests": [manifest.json]]
        try Files.write(index.bytes(), to: "\(path)/index.json")
        return path
    }

    private func layer(_ tree: Tree) throws -> (content: ContentDigest, blob: ContentDescriptor) {
        let tar = "\(folder)/layer.tar"
        try program.run([
            "/bin/tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--format=gnu", "-C", tree.path, "-cf", tar, ".",
        ])
        let content = try Self.digest(tar)
        guard tree.isPacked else { return (content, try keep(tar, ImageManifest.layerType, content)) }
        try program.run(["/bin/gzip", "-f", "-n", "-1", tar])
        return (content, try keep("\(tar).gz", ImageManifest.layerType + "+gzip", try Self.digest("\(tar).gz")))
    }

    private func keep(_ file: String, _ mediaType: String, _ digest: ContentDigest) throws -> ContentDescriptor {
        let blob = ContentDescriptor(mediaType: mediaType, digest: digest, size: Files.size(file))
        guard rename(file, "\(blobs)/\(digest.hex)") == 0 else { throw FileError("rename", file, errno: errno) }
        return blob
    }

    /// What the image says of itself.
    private func description(_ layers: [ContentDigest]) -> JSON {
        let platform = Platform.machine
        var config = recipe.config
        config["Labels"][ImageRecipe.label] = .string(recipe.name)
        let whole: JSON = ["created_by": .string(origin), "comment": .string("minik's look-alike of \(recipe.title)")]
        return [
            "architecture": .string(platform.architecture), "variant": platform.variant.isEmpty ? .null : .string(platform.variant),
            "os": .string(platform.os), "config": config,
            "rootfs": ["type": "layers", "diff_ids": .array(layers.map { .string($0.description) })],
            "history": .array(layers.dropLast().map { _ in ["created_by": "minik: its own program"] } + [whole]),
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
