import Model
import Runtime

/// The images of an OCI layout. (opencontainers/image-spec image-layout.md)
struct OCIArchive {
    let archive: any ImageArchive
    let machine: Platform
    /// Docker's own list beside it, which knows names that the index may not.
    let list: JSON

    func images(_ index: JSON) throws -> [ArchivedImage] {
        let title = archive.name
        let entries = try ArchivedImage.named("in \(title)") { try ImageIndex(index).manifests }
        // Manifests with platforms and no names beside each other are one image that was written without its own index.
        let unnamed = entries.allSatisfy { names($0).isEmpty }
        if entries.count > 1, unnamed, entries.allSatisfy({ $0.platform != nil }) {
            return [try image(try ArchivedImage.named("in \(title)") { try ImageIndex(index).choose(for: machine) })]
        }
        var images: [ArchivedImage] = []
        // One image with several names is listed once a name.
        for entry in entries {
            let next = try image(entry)
            if let place = images.firstIndex(where: { $0.digest == next.digest }) {
                images[place] = images[place].with(next.names)
            } else {
                images.append(next)
            }
        }
        return images
    }

    private func names(_ entry: ContentDescriptor) -> [ImageReference] {
        let full = entry.annotations["io.containerd.image.name"].string,
            short = entry.annotations["org.opencontainers.image.ref.name"].string
        if let full { return ArchivedImage.references([full]) }
        // A tag alone is the name of no image.
        guard let short, short.contains(":") || short.contains("/") else { return [] }
        return ArchivedImage.references([short])
    }

    private func image(_ entry: ContentDescriptor) throws -> ArchivedImage {
        var names = names(entry)
        return try ArchivedImage.named(names.first?.description ?? entry.digest.description) {
            var documents = [try document(entry)], json = try JSON(parsing: documents[0])
            if ImageIndex.isIndex(json) {
                documents.append(try document(try ImageIndex(json).choose(for: machine)))
                json = try JSON(parsing: documents[1])
            }
            let manifest = try ImageManifest(json), configuration = try document(manifest.configuration)
            if names.isEmpty {
                let own = list.items.first { ($0["Config"].string ?? "").contains(manifest.configuration.digest.hex) }
                names = ArchivedImage.references(own?["RepoTags"].items.compactMap(\.string) ?? [])
            }
            return ArchivedImage(
                names: names, digest: entry.digest, documents: documents, manifest: manifest, configuration: configuration,
                description: try ArchivedImage.description(of: configuration, manifest.layers.count, machine),
                layers: manifest.layers.map { ArchivedImage.Layer(path: path($0.digest), descriptor: $0) })
        }
    }

    private func path(_ digest: ContentDigest) -> String { "blobs/sha256/\(digest.hex)" }

    private func document(_ wanted: ContentDescriptor) throws -> [UInt8] {
        guard let bytes = try archive.content(path(wanted.digest)) else {
            throw ImageError("\(archive.name) lacks its content \(wanted.digest)", hint: "save the image again")
        }
        guard bytes.count == wanted.size, ContentDigest(of: bytes) == wanted.digest else {
            throw ImageError(
                "the content \(wanted.digest) in \(archive.name) does not match its digest and size", hint: "save the image again")
        }
        return bytes
    }
}

extension ArchivedImage {
    /// The same with more names, or with others in place of its own.
    func with(_ more: [ImageReference], instead: Bool = false) -> ArchivedImage {
        ArchivedImage(
            names: instead ? more : names + more.filter { !names.contains($0) }, digest: digest, documents: documents, manifest: manifest,
            configuration: configuration, description: description, layers: layers)
    }
}
