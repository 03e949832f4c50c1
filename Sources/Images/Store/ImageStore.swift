import Glibc
import Host
import Model
import Runtime
import Synchronization

/// The images of this machine, by content: shared by its clusters, and there when none runs. Each layer is unpacked once.
///
///     blobs/sha256/HEX   what registries and archives hand over: manifests, configurations, layers
///     layers/HEX         a layer's files, by the digest of its uncompressed tar; whole, or not there
///     images.json        which images there are, and their names: what is not reached from here may go
///     staging            what is half made, or on its way out
///
/// Whoever changes it holds a lock; who reads needs none, for every file appears whole.
package final class ImageStore: ImageSource {
    let places: StorePlaces
    /// Where the clusters' states lie: their pods' files say what is in use.
    let clusters: String
    let unpack: LayerUnpack
    let machine: Platform
    private let known = Mutex(Known())

    /// What was read last, good for as long as the file of names is the same.
    private struct Known {
        var stamp: [Int] = []
        var records = ImageRecords()
        var images: [ContentDigest: Image] = [:]
        var listings: [ImageListing]?
    }

    package init(
        directory: String = ClusterPaths.images, clusters: String = ClusterPaths.clusters,
        unpacker: String = SmallProgram.path("minik-unpack"),
        machine: Platform = .machine, mostBytes: Int = 64 << 30, mostEntries: Int = 2_000_000
    ) {
        places = StorePlaces(root: directory)
        self.clusters = clusters
        self.machine = machine
        unpack = LayerUnpack(program: unpacker, mostBytes: mostBytes, mostEntries: mostEntries)
    }

    /// All images there are.
    package func records() throws -> ImageRecords {
        var info = stat()
        guard stat(places.records, &info) == 0 else {
            guard errno == ENOENT else { throw FileError("look at", places.records, errno: errno) }
            return ImageRecords()
        }
        let stamp = [Int(info.st_ino), Int(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec]
        if let same = known.withLock({ $0.stamp == stamp ? $0.records : nil }) { return same }
        let records: ImageRecords
        do { records = try ImageRecords(try JSON(parsing: try Files.read(places.records))) } catch {
            throw ImageError(
                "the list of this machine's images, \(places.records), cannot be read: \(error)",
                hint: "put it back, or remove \(places.root) and load the images again")
        }
        known.withLock { $0 = Known(stamp: stamp, records: records) }
        return records
    }

    /// Writes the file of names: before that nothing is different, after that all is.
    func write(_ records: ImageRecords) throws {
        try places.sync()
        let text = records.json.text(indented: true) + "\n"
        do { try Files.write(text, to: places.records, mode: 0o600) } catch {
            // What was set aside is enough to say what goes.
            guard error.errno == ENOSPC, unlink(places.reserve) == 0 else { throw error }
            try Files.write(text, to: places.records, mode: 0o600)
        }
        try places.sync()
    }

    // MARK: ImageSource

    package func resolve(_ reference: ImageReference) throws -> Image? {
        try records().image(reference).map { try self.image($0, as: reference) }
    }

    package func resolve(_ reference: ImageReference, for use: ImageUse) throws -> Image? {
        try take(for: use) { $0.image(reference) }.map { try image($0, as: reference) }
    }

    /// The image that `find` gives, which a container has from now on.
    func take(for use: ImageUse, _ find: (ImageRecords) -> ImageRecord?) throws -> ImageRecord? {
        guard find(try records()) != nil else { return nil }
        // From here until the pod has said so, nobody removes anything.
        let lock = try StoreLock(places.removalLock, shared: true)
        let record = find(try records())
        if let record {
            _ = try image(record)
            try use.note(record.manifest.description)
        }
        lock.release()
        return record
    }

    package func listings() throws -> [ImageListing] {
        let records = try records()
        let same: [ImageListing]? = known.withLock { known in known.records == records ? known.listings : nil }
        if let same { return same }
        // What is damaged is told to whoever asks for it.
        let listings = try summaries { _ in }.map(\.listing)
        known.withLock { if $0.records == records { $0.listings = listings } }
        return listings
    }

    private func image(_ record: ImageRecord, as reference: ImageReference) throws -> Image {
        var image = try image(record)
        image.isPulled = record.pulled.contains(reference.description)
        return image
    }

    /// An image ready to be mounted.
    func image(_ record: ImageRecord) throws -> Image {
        if let image = known.withLock({ $0.images[record.digest] }) { return image }
        let (manifest, description) = try contents(of: record)
        var layers = stack(description.layers)
        if let gone = layers.first(where: { !Files.isDirectory($0) }) {
            throw ImageError("image \(record.title): its layer \(gone) is gone", hint: "load the image again")
        }
        if Files.isDirectory(places.top(record.id)) { layers.append(places.top(record.id)) }
        // No registry knows what minik has made, so it goes by its ID.
        let isOwn = description.configuration.labels[ImageRecipe.label] != nil
        var image = Image(
            id: manifest.configuration.digest.description, configuration: description.configuration, layers: layers,
            digest: isOwn ? nil : record.digest.description)
        image.accounts = Image.Accounts(of: image)
        known.withLock { [image] in $0.images[record.digest] = image }
        return image
    }

    /// The directories of layers, the lowest first. overlayfs takes none twice; of a layer that comes again the upper one shows all that
    /// the lower one would.
    func stack(_ layers: [ContentDigest]) -> [String] {
        var seen: Set<ContentDigest> = []
        return layers.reversed().filter { seen.insert($0).inserted }.reversed().map(places.layer)
    }

    // MARK: Contents

    package func contents(of record: ImageRecord) throws -> (manifest: ImageManifest, description: ImageDescription) {
        try ArchivedImage.named(record.title) {
            let manifest = try ImageManifest(try JSON(parsing: try document(record.manifest)))
            return (manifest, try ImageDescription(try JSON(parsing: try document(manifest.configuration.digest))))
        }
    }

    func document(_ digest: ContentDigest) throws -> [UInt8] {
        do { return try Files.read(places.blob(digest)) } catch {
            throw ImageError("its content \(digest) cannot be read: \(error)", hint: "load the image again")
        }
    }

    /// How many bytes each of an image's layers comes to, unpacked, the lowest first.
    package func sizes(_ description: ImageDescription) -> [Int] { description.layers.map { LayerFacts(places.facts($0))?.bytes ?? 0 } }
}

extension ImageRecord {
    /// What to call it to people.
    package var title: String { names.first ?? lookAlike?.title ?? digest.description }
}
