import CArchive
import Glibc
import Host
import Model
import Runtime

/// A root file system that becomes an image of one layer, as `docker import` makes one.
package struct RootImport: Sendable {
    package enum Source: Sendable {
        /// Its tar is made by tar(1); what is mounted below it stays out.
        case directory(String)
        case file(String)
        case stream(Int32)

        var title: String {
            switch self {
            case .directory(let path), .file(let path): path
            case .stream: "standard input"
            }
        }
    }

    let source: Source
    let name: ImageReference?
    let changes: [ImageChange]
    let message: String?

    package init(_ source: Source, name: ImageReference? = nil, changes: [ImageChange] = [], message: String? = nil) {
        (self.source, self.name, self.changes, self.message) = (source, name, changes, message)
    }

    /// Owners by number, and of extended attributes those that an image keeps.
    private static let tar = [
        "/usr/bin/tar", "--create", "--one-file-system", "--numeric-owner", "--sort=name", "--format=pax",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--xattrs", "--xattrs-include=user.*",
        "--xattrs-include=security.capability", "--file=-", "--directory",
    ]

    /// Writes the layer without its compression; its digest.
    func write(to blob: BlobFile) throws {
        switch source {
        case .stream(let file): try Self.expand(file, source.title, into: blob)
        case .file(let path):
            let file = try Descriptor(opening: path, O_RDONLY)
            try Self.expand(file.number, path, into: blob)
        case .directory(let path):
            do {
                let program = StreamingProgram(argv: Self.tar + [path, "."])
                try program.read { output in try output.readEach(path) { try blob.add($0) } }
            } catch let complaint as StreamingProgram.Complaint {
                throw ImageError(
                    "\(path) cannot be read as a root file system: \(complaint.last)", hint: "import it while nothing changes it")
            }
        }
    }

    /// What is left of a tar when its compression is taken off, by libarchive.
    private static func expand(_ file: Int32, _ name: String, into blob: BlobFile) throws {
        guard let archive = archive_read_new() else { throw ImageError("no memory to read \(name)") }
        defer { archive_read_free(archive) }
        for support in [
            archive_read_support_filter_gzip, archive_read_support_filter_zstd, archive_read_support_filter_xz,
            archive_read_support_filter_bzip2, archive_read_support_format_raw,
        ] { _ = support(archive) }
        func damaged() -> ImageError {
            let reason = archive_error_string(archive).map { String(cString: $0) } ?? "no reason given"
            return ImageError("\(name) cannot be read: it is empty, damaged or cut short (\(reason))", hint: "make the tar again")
        }
        var entry: OpaquePointer?
        guard archive_read_open_fd(archive, file, 1 << 18) == ARCHIVE_OK, archive_read_next_header(archive, &entry) == ARCHIVE_OK else {
            throw damaged()
        }
        try ArchiveEntry.read(archive, orElse: damaged()) { try blob.add($0) }
    }

    /// What its configuration says, around a layer.
    func configuration(_ layer: ContentDigest, _ machine: Platform, now: Timestamp) -> JSON {
        var config = JSON.emptyObject
        for change in changes { change.apply(to: &config) }
        return [
            "created": .string(now.precise), "architecture": .string(machine.architecture),
            "variant": machine.variant.isEmpty ? .null : .string(machine.variant), "os": .string(machine.os), "config": config,
            "rootfs": ["type": "layers", "diff_ids": [.string(layer.description)]],
            "history": [["created": .string(now.precise), "comment": .string(message ?? "Imported from \(source.title)")]],
        ]
    }
}

extension ImageStore {
    /// Makes a root file system an image; blocks until it is there. Its layer is unpacked as every other.
    package func load(_ root: RootImport, progress: @escaping (String) -> Void = { _ in }) throws -> ImageRecord {
        let folder = try PullFolder(below: places.root)
        defer { folder.remove() }
        let contents = "\(folder.path)/blobs/sha256"
        try Files.makeDirectory(contents, mode: 0o700)
        progress("reading \(root.source.title)")
        let blob = try BlobFile("\(contents)/layer")
        try root.write(to: blob)
        let layer = ContentDescriptor(mediaType: ImageManifest.layerType, digest: blob.digest(), size: blob.size)
        guard rename(blob.path, "\(contents)/\(layer.digest.hex)") == 0 else { throw FileError("rename", blob.path, errno: errno) }
        func put(_ bytes: [UInt8], _ type: String) throws -> ContentDescriptor {
            let digest = ContentDigest(of: bytes)
            try Files.write(bytes, to: "\(contents)/\(digest.hex)", mode: 0o600)
            return ContentDescriptor(mediaType: type, digest: digest, size: bytes.count)
        }
        let configuration = try put(
            root.configuration(layer.digest, machine, now: .now()).bytes(), ImageManifest.configurationType)
        let manifest = try put(ImageManifest(configuration: configuration, layers: [layer]).bytes, ImageManifest.mediaType)
        let index: JSON = ["schemaVersion": 2, "manifests": [manifest.json]]
        try Files.write(index.bytes(), to: "\(folder.path)/index.json", mode: 0o600)
        let images = try load(LayoutDirectory(own: folder.path), names: root.name.map { [$0] } ?? [], progress: progress)
        guard let image = images.first else { throw ImageError("\(root.source.title) became no image") }
        return image
    }
}
