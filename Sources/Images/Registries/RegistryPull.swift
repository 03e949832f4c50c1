import Glibc
import Model
import Runtime

/// Pulls an image from its registry into the store: what the registry says of it, byte for byte, and the contents for this machine.
package struct RegistryPull {
    private let store: ImageStore
    private let skopeo: Skopeo
    private let access: RegistryAccess

    /// Seconds without a byte after which a registry has left us.
    private let patience: Int
    /// What a registry's name or digest leads to may be this long.
    private static let mostOfDocument = 4 << 20

    package struct Pulled: Sendable {
        package let image: ImageRecord
        /// It was there already.
        package let isOld: Bool
    }

    /// `install` is asked for skopeo when it is not there. `patience`: one that has us wait (429) is asked again for a minute before skopeo
    /// tells.
    package init(store: ImageStore, access: RegistryAccess, patience: Int = 75, orElse install: () throws -> Void) throws {
        self.patience = patience
        self.store = store
        self.access = access
        skopeo = try Skopeo(orElse: install)
    }

    /// Blocks until the image is there.
    package func run(_ reference: ImageReference, progress: @escaping (String) -> Void = { _ in }) throws -> Pulled {
        do { return try pull(reference, progress: progress) } catch let error as RegistryComplaint {
            throw ImageError("image \(reference): \(reference.registry) says: \(error.message)", hint: error.hint)
        } catch let error as ImageError where !error.message.hasPrefix("image ") {
            throw ImageError("image \(reference): \(error.message)", hint: error.hint)
        }
    }

    /// The same; what the registry complains of is thrown as it is. Ends when `running` is stopped.
    func pull(
        _ reference: ImageReference, running: RunningProgram = RunningProgram(), progress: @escaping (String) -> Void = { _ in }
    ) throws -> Pulled {
        progress("asking \(reference.registry)")
        // A digest says all; skopeo takes no tag beside one.
        let repository = "docker://\(reference.registry)/\(reference.repository)"
        let source = repository + (reference.digest.map { "@\($0)" } ?? reference.tag.map { ":\($0)" } ?? "")
        let top = try skopeo.run(
            access.asking + ["inspect", "--raw"] + access.options(of: "") + [source], most: Self.mostOfDocument, patience: patience,
            running: running)
        let json = try Self.manifest(top, reference)
        let digest = ContentDigest(of: top)
        // Of a name with both, the digest says what is meant; what the tag leads to is another question.
        let names = reference.digest == nil ? reference.tag.map { [reference.named($0)] } ?? [] : []
        if let wanted = reference.digest, wanted != digest.description {
            throw ImageError("image \(reference): its registry sent \(digest) instead", hint: "ask the registry's owner")
        }
        if let known = try store.records().image(digest) {
            if let name = names.first, !known.pulled.contains(name.description) {
                try store.tag(digest.description, name, isPulled: true)
            }
            return Pulled(
                image: try store.records().image(digest) ?? known, isOld: names.allSatisfy { known.names.contains($0.description) })
        }
        let folder = try PullFolder(below: store.places.root)
        defer { folder.remove() }
        let layout = try PulledLayout(in: folder)
        let manifest = try ArchivedImage.named(reference.description) { () throws -> ContentDigest in
            ImageIndex.isIndex(json) ? try ImageIndex(json).choose(for: store.machine).digest : digest
        }
        var blobs = 0
        _ = try skopeo.run(
            access.asking + ["copy"] + access.options(of: "src-") + ["\(repository)@\(manifest)", "dir:\(layout.contents)"], most: 1 << 24,
            patience: patience, running: running, progress: { layout.size }
        ) { line in
            guard line.hasPrefix("Copying blob") else { return }
            blobs += 1
            progress("\(blobs) layers begun")
        }
        try layout.finish(top: top, digest: digest, manifest: manifest, name: names.first)
        let images = try store.load(LayoutDirectory(own: layout.path), names: names, isPulled: true, progress: progress)
        guard let image = images.first else { throw ImageError("image \(reference): the registry sent none") }
        return Pulled(image: image, isOld: false)
    }

    /// skopeo hands on whatever is there.
    private static func manifest(_ bytes: [UInt8], _ reference: ImageReference) throws -> JSON {
        let isPage = bytes.first { ![0x09, 0x0A, 0x0D, 0x20].contains($0) } == UInt8(ascii: "<")
        guard !isPage, let json = try? JSON(parsing: bytes), json["schemaVersion"].int != nil else {
            throw ImageError(
                "image \(reference): \(reference.registry) sent \(isPage ? "a web page" : "\(bytes.count) bytes that are no manifest")",
                hint: isPage ? RegistryComplaint.pageHint : "look at the registry's address, and at the image's name and tag")
        }
        return json
    }
}

extension ImageReference {
    /// The repository with a tag and no digest.
    func named(_ tag: String) -> ImageReference { ImageReference("\(registry)/\(repository):\(tag)") ?? self }
}
