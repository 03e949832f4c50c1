import Glibc
import Model
import Runtime

/// Pulls an image from its registry into the store: what the registry says of it, byte for byte, and the contents for this machine.
package struct RegistryPull {
    private let store: ImageStore
    private let skopeo: Skopeo
    private let access: RegistryAccess

    /// Seconds without a byte after which a registry has left us.
    private static let patience = 60
    /// What a registry's name or digest leads to may be this long.
    private static let mostOfDocument = 4 << 20

    package struct Pulled: Sendable {
        package let image: ImageRecord
        /// It was there already.
        package let isOld: Bool
    }

    /// `install` is asked for skopeo when it is not there.
    package init(store: ImageStore, access: RegistryAccess, orElse install: () throws -> Void) throws {
        self.store = store
        self.access = access
        skopeo = try Skopeo(orElse: install)
    }

    /// Blocks until the image is there.
    package func run(_ reference: ImageReference, progress: @escaping (String) -> Void = { _ in }) throws -> Pulled {
        do { return try pull(reference, progress) } catch let error as RegistryComplaint {
            throw ImageError("image \(reference): \(reference.registry) says: \(error.message)", hint: error.hint)
        }
    }

    private func pull(_ reference: ImageReference, _ progress: @escaping (String) -> Void) throws -> Pulled {
        progress("asking \(reference.registry)")
        // A digest says all; skopeo takes no tag beside one.
        let repository = "docker://\(reference.registry)/\(reference.repository)"
        let source = repository + (reference.digest.map { "@\($0)" } ?? reference.tag.map { ":\($0)" } ?? "")
        let top = try skopeo.run(
            access.asking + ["inspect", "--raw"] + access.options(of: "") + [source], most: Self.mostOfDocument, patience: Self.patience)
        let digest = ContentDigest(of: top)
        // Of a name with both, the digest says what is meant; what the tag leads to is another question.
        let names = reference.digest == nil ? reference.tag.map { [reference.named($0)] } ?? [] : []
        if let wanted = reference.digest, wanted != digest.description {
            throw ImageError("image \(reference): its registry sent \(digest) instead", hint: "ask the registry's owner")
        }
        if let known = try store.records().image(digest) {
            if let name = names.first, !known.names.contains(name.description) { try store.tag(digest.description, name) }
            return Pulled(
                image: try store.records().image(digest) ?? known, isOld: names.allSatisfy { known.names.contains($0.description) })
        }
        let layout = try PulledLayout(below: store.places.root)
        defer { layout.remove() }
        let manifest = try ArchivedImage.named(reference.description) { () throws -> ContentDigest in
            let json = try JSON(parsing: top)
            return ImageIndex.isIndex(json) ? try ImageIndex(json).choose(for: store.machine).digest : digest
        }
        var blobs = 0
        _ = try skopeo.run(
            access.asking + ["copy"] + access.options(of: "src-") + ["\(repository)@\(manifest)", "dir:\(layout.contents)"], most: 1 << 24,
            patience: Self.patience, progress: { layout.size }
        ) { line in
            guard line.hasPrefix("Copying blob") else { return }
            blobs += 1
            progress("\(blobs) layers begun")
        }
        try layout.finish(top: top, digest: digest, manifest: manifest, name: names.first)
        let images = try store.load(LayoutDirectory(layout.path), names: names, progress: progress)
        guard let image = images.first else { throw ImageError("image \(reference): the registry sent none") }
        return Pulled(image: image, isOld: false)
    }
}

/// How registries are spoken to.
package struct RegistryAccess: Sendable {
    /// Plain HTTP, and certificates that nobody vouches for, are taken.
    private let isInsecure: Bool
    /// Whose word on certificates counts beside the machine's: a directory that holds a file `ca.crt`.
    private let certificates: String?
    /// Where passwords lie, as docker and podman write them.
    private let passwords: String?

    package init(isInsecure: Bool = false, certificates: String? = nil, passwords: String? = nil) {
        self.isInsecure = isInsecure
        self.certificates = certificates
        self.passwords = passwords
    }

    /// What stands before skopeo's command.
    var asking: [String] { ["--insecure-policy"] }

    /// `side`: `src-` where the command has two.
    func options(of side: String) -> [String] {
        var options = isInsecure ? ["--\(side)tls-verify=false"] : []
        if let certificates { options += ["--\(side)cert-dir", certificates] }
        if let passwords { options += ["--\(side)authfile", passwords] }
        return options
    }

    /// The file in which the user who called us, perhaps by sudo, has logged in to registries; nil when there is none.
    package static var callersPasswords: String? {
        if let given = getenv("REGISTRY_AUTH_FILE") { return String(cString: given) }
        guard let name = getenv("SUDO_USER"), let entry = getpwnam(name) else { return nil }
        let home = String(cString: entry.pointee.pw_dir)
        return ["/run/user/\(entry.pointee.pw_uid)/containers/auth.json", "\(home)/.docker/config.json"].first { Files.exists($0) }
    }
}

extension ImageReference {
    /// The repository with a tag and no digest.
    func named(_ tag: String) -> ImageReference { ImageReference("\(registry)/\(repository):\(tag)") ?? self }
}
