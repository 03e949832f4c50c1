import Glibc
import Host
import Model
import Runtime

/// The forms in which images leave the store.
package enum ArchiveFormat: String, CaseIterable, Sendable {
    /// An OCI layout that docker's own list lies beside, as docker itself has written it since version 25: older ones read the list alone.
    case docker = "docker-archive"
    /// An OCI layout and nothing else.
    case oci = "oci-archive"
}

extension ImageStore {
    /// Writes images as one tar; blocks until that is done. What is given by its name leaves under that name, what is given by a digest or
    /// an ID under all that it has. `name`: what to call the tar to people.
    package func save(
        _ texts: [String], as format: ArchiveFormat, to output: Int32, name: String, progress: (String) -> Void = { _ in }
    ) throws {
        let folder = try PullFolder(below: places.root)
        defer { folder.remove() }
        let images = try hold(texts, in: folder.path)
        let tar = try TarFileWriter(output, name: name)
        try tar.add("oci-layout", Array("{\"imageLayoutVersion\":\"1.0.0\"}".utf8))
        let index: JSON = [
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": .array(images.flatMap(\.indexed)),
        ]
        try tar.add("index.json", index.bytes())
        if format == .docker { try tar.add("manifest.json", JSON.array(images.map(\.listed)).bytes()) }
        var written: Set<ContentDigest> = []
        for image in images {
            progress("writing \(image.record.title)")
            try ArchivedImage.named(image.record.title) {
                for digest in image.contents where written.insert(digest).inserted {
                    try tar.add(SavedImage.path(digest), file: "\(folder.path)/\(digest.hex)", digest)
                }
            }
        }
        try tar.finish()
    }

    /// The same into a file, which appears whole or not at all.
    package func save(_ texts: [String], as format: ArchiveFormat, path: String, progress: (String) -> Void = { _ in }) throws {
        var info = stat()
        if stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
            // A device or a pipe takes what it is given.
            let output = try Descriptor(opening: path, O_WRONLY)
            return try save(texts, as: format, to: output.number, name: path, progress: progress)
        }
        let passing = "\(path).\(UInt32.random(in: 0 ... .max)).new"
        let output: Descriptor, isUnnamed: Bool
        do {
            output = try Descriptor.unnamedFile(in: path.lastIndex(of: "/").map { String(path[...$0]) } ?? ".")
            isUnnamed = true
        } catch {
            // Not every file system has files without a name, which go with us however we end.
            let result = Descriptor.result(open(passing, O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0o644))
            output = try Descriptor(result, "create", path)
            isUnnamed = false
        }
        do {
            try save(texts, as: format, to: output.number, name: path, progress: progress)
            fchmod(output.number, 0o644)
            if isUnnamed, linkat(AT_FDCWD, "/proc/self/fd/\(output.number)", AT_FDCWD, passing, AT_SYMLINK_FOLLOW) < 0 {
                throw FileError("name", path, errno: errno)
            }
            if rename(passing, path) < 0 { throw FileError("rename to", path, errno: errno) }
        } catch {
            unlink(passing)
            throw error
        }
    }

    /// Finds the images, and gives their contents one more name each in `directory`: who removes an image meanwhile does not take them.
    private func hold(_ texts: [String], in directory: String) throws -> [SavedImage] {
        let lock = try StoreLock(places.removalLock, shared: true)
        let records = try records()
        var images: [SavedImage] = []
        for text in texts {
            let record = try records.find(text)
            let name = ImageReference(text)?.description, names = record.names.filter { $0 == name }
            try add(record, names.isEmpty ? record.names : names, to: &images)
        }
        for image in images {
            for digest in Set(image.contents) where link(places.blob(digest), "\(directory)/\(digest.hex)") < 0 && errno != EEXIST {
                let reason = FileError("link to", places.blob(digest), errno: errno)
                throw ImageError(
                    "image \(image.record.title): its content \(digest) cannot be had: \(reason)", hint: "load or pull the image again")
            }
        }
        lock.release()
        return images
    }

    private func add(_ record: ImageRecord, _ names: [String], to images: inout [SavedImage]) throws {
        if let place = images.firstIndex(where: { $0.record.digest == record.digest }) {
            images[place].names += names.filter { !images[place].names.contains($0) }
            return
        }
        let (manifest, _) = try contents(of: record)
        let top = try ArchivedImage.named(record.title) { try JSON(parsing: try document(record.digest)) }
        let isIndex = ImageIndex.isIndex(top)
        images.append(
            SavedImage(
                record: record, manifest: manifest, names: names, size: Files.size(places.blob(record.digest)),
                mediaType: top["mediaType"].string
                    ?? (isIndex ? "application/vnd.oci.image.index.v1+json" : ImageManifest.mediaType)))
    }
}
