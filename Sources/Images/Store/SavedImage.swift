import Model

/// An image on its way out of the store, with the names that it leaves under.
struct SavedImage: Sendable {
    let record: ImageRecord
    let manifest: ImageManifest
    var names: [String]
    /// Of what is known by `record.digest`: how long it is, and of which type.
    let size: Int
    let mediaType: String

    /// All that belongs to it: what others know it by, and what that leads to.
    var contents: [ContentDigest] {
        [record.digest, record.manifest, manifest.configuration.digest] + manifest.layers.map(\.digest)
    }

    /// How an index of a layout lists it: once a name. (containerd writes and reads the whole name so, skopeo the other one)
    var indexed: [JSON] {
        let entry: JSON = ["mediaType": .string(mediaType), "digest": .string(record.digest.description), "size": .int(size)]
        if names.isEmpty { return [entry] }
        return names.map { name in
            var named = entry
            named["annotations"] = ["io.containerd.image.name": .string(name), "org.opencontainers.image.ref.name": .string(name)]
            return named
        }
    }

    /// How docker's own list has it.
    var listed: JSON {
        [
            "Config": .string(Self.path(manifest.configuration.digest)),
            "RepoTags": names.isEmpty ? .null : .array(names.map(JSON.string)),
            "Layers": .array(manifest.layers.map { .string(Self.path($0.digest)) }),
        ]
    }

    static func path(_ digest: ContentDigest) -> String { "blobs/sha256/\(digest.hex)" }
}
