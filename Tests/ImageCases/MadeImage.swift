import Glibc
import Host
import Images
import Model
import Runtime

/// An image made by a test, written as the tools write it.
package struct MadeImage {
    /// Tars without compression, the lowest first.
    package var layers: [[UInt8]]
    package var configuration: JSON = .emptyObject
    package var platform = Platform.machine
    /// What the configuration says of its layers; nil: the truth.
    package var claimed: [ContentDigest]?

    package init(_ layers: [TarFile]) { self.layers = layers.map(\.bytes) }

    package var description: [UInt8] {
        let digests = claimed ?? layers.map { ContentDigest(of: $0) }
        let json: JSON = [
            "created": "2024-05-06T07:08:09.123456789Z", "os": .string(platform.os), "architecture": .string(platform.architecture),
            "config": configuration, "rootfs": ["type": "layers", "diff_ids": .array(digests.map { .string($0.description) })],
            "history": .array(
                layers.indices.map { ["created": "2024-05-06T07:08:09Z", "created_by": .string("COPY layer \($0) /")] }
                    + [["created_by": "CMD nothing", "empty_layer": true]]),
        ]
        return json.bytes()
    }

    // MARK: Docker's archive

    /// What `docker save` writes: its list comes last. `compressed`: the layers as a program other than docker may put them there.
    package static func dockerArchive(_ images: [(image: MadeImage, names: [String])], compressed: [String] = []) throws -> [UInt8] {
        var tar = TarFile(), list: [JSON] = []
        for (image, names) in images {
            let id = ContentDigest(of: image.description).hex
            var files: [JSON] = []
            for layer in image.layers {
                let file = "\(ContentDigest(of: layer).hex)/layer.tar"
                tar.add(file, bytes: compressed.isEmpty ? layer : try piped(compressed, layer))
                files.append(.string(file))
            }
            tar.add("\(id).json", bytes: image.description)
            list.append(["Config": .string("\(id).json"), "RepoTags": .array(names.map(JSON.string)), "Layers": .array(files)])
        }
        tar.add("manifest.json", bytes: JSON.array(list).bytes())
        return tar.bytes
    }

    // MARK: OCI's layout

    /// Writes its blobs below `directory`; how an index names it. `compress`: a program's words, or none.
    package func write(to directory: String, compress: [String] = []) throws -> JSON {
        let kind = compress.first.map { "+\($0.split(separator: "/").last ?? "")" } ?? ""
        let blobs = try layers.map { layer -> JSON in
            let bytes = compress.isEmpty ? layer : try Self.piped(compress, layer)
            return try Self.put(bytes, "\(ImageManifest.layerType)\(kind)", directory)
        }
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(ImageManifest.mediaType),
            "config": try Self.put(description, ImageManifest.configurationType, directory), "layers": .array(blobs),
        ]
        var entry = try Self.put(manifest.bytes(), ImageManifest.mediaType, directory)
        entry["platform"] = ["os": .string(platform.os), "architecture": .string(platform.architecture)]
        return entry
    }

    /// Writes an index of such entries, as a blob; how another index names it.
    package static func index(_ entries: [JSON], in directory: String) throws -> JSON {
        let json: JSON = ["schemaVersion": 2, "manifests": .array(entries)]
        return try put(json.bytes(), "application/vnd.oci.image.index.v1+json", directory)
    }

    /// Makes `directory` a layout that lists `entries`.
    package static func layout(_ entries: [JSON], in directory: String) throws {
        let json: JSON = ["schemaVersion": 2, "manifests": .array(entries)]
        try Files.write(json.bytes(), to: "\(directory)/index.json")
        try Files.write("{\"imageLayoutVersion\":\"1.0.0\"}", to: "\(directory)/oci-layout")
    }

    private static func put(_ bytes: [UInt8], _ type: String, _ directory: String) throws -> JSON {
        let digest = ContentDigest(of: bytes)
        try Files.makeDirectory("\(directory)/blobs/sha256")
        try Files.write(bytes, to: "\(directory)/blobs/sha256/\(digest.hex)")
        return ContentDescriptor(mediaType: type, digest: digest, size: bytes.count).json
    }

    /// What a program makes of `bytes`.
    package static func piped(_ command: [String], _ bytes: [UInt8]) throws -> [UInt8] {
        let file = "/tmp/minik-pipe-\(UInt64.random(in: 0 ... .max))"
        try Files.write(bytes, to: file)
        let input = open(file, O_RDONLY | O_CLOEXEC), output = open("\(file).out", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer {
            for path in [file, "\(file).out"] { unlink(path) }
        }
        let pid = SmallProgram.spawn(command, environment: ["PATH=/usr/bin:/bin"], stdio: [input, output, -1])
        close(input)
        close(output)
        guard pid > 0 else { throw FileError("start", command[0], errno: -pid) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw FileError("run", command[0], errno: EIO) }
        return try Files.read("\(file).out")
    }
}
