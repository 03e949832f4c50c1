import Dispatch
import Glibc
import Host
import Model
import Runtime
import Synchronization

extension ImageStore {
    /// Takes in all images of an archive; blocks until they are there. `names` go to its only image, in the place of the archive's own.
    /// `isPulled`: a registry filled the archive. `lookAlike`: minik made it itself.
    @discardableResult
    package func load(
        _ archive: any ImageArchive, names: [ImageReference] = [], isPulled: Bool = false, lookAlike: ImageRecord.LookAlike? = nil,
        progress: @escaping (String) -> Void = { _ in }
    ) throws -> [ImageRecord] {
        try changing {
            var images = try ArchivedImage.all(in: archive, machine: machine)
            if !names.isEmpty {
                guard images.count == 1 else {
                    throw ImageError(
                        "\(archive.name) holds \(images.count) images, which cannot all have one name", hint: "leave the name out")
                }
                images[0] = images[0].with(names, instead: true)
            }
            let load = try ImageLoad(store: self, archive: archive, isPulled: isPulled, lookAlike: lookAlike, progress: progress)
            defer { Files.removeTree(load.staging) }
            return try load.run(images)
        }
    }

    /// The same from a file, or a directory that is a layout.
    @discardableResult
    package func load(path: String, names: [ImageReference] = [], progress: @escaping (String) -> Void = { _ in }) throws -> [ImageRecord] {
        try load(Files.isDirectory(path) ? LayoutDirectory(path) : try TarArchive(path), names: names, progress: progress)
    }

    /// Runs `body` as the only one that changes the store; what a process that was killed has left goes first.
    func changing<R>(_ body: () throws -> R) throws -> R {
        try places.make()
        let lock = try StoreLock(places.lock)
        PullFolder.sweep(below: places.root)
        for name in Files.list(places.staging) { Files.removeTree("\(places.staging)/\(name)") }
        let result = try body()
        lock.release()
        return result
    }
}

/// Images on their way into the store: everything is made and checked beside it, and moved into it at the end.
private struct ImageLoad {
    let store: ImageStore
    let archive: any ImageArchive
    let isPulled: Bool
    let lookAlike: ImageRecord.LookAlike?
    let progress: (String) -> Void
    let staging: String
    private var places: StorePlaces { store.places }

    /// A layer that is not there yet, or whose blob is not.
    struct Wanted {
        let image: String
        let number: Int
        let file: String
        let layer: ContentDigest
        let descriptor: ContentDescriptor?
        var title: String { "image \(image): layer \(number + 1), \(descriptor?.digest.description ?? file)" }
    }

    /// What came out of the archive.
    struct Fetched {
        let path: String
        let descriptor: ContentDescriptor
    }

    init(
        store: ImageStore, archive: any ImageArchive, isPulled: Bool, lookAlike: ImageRecord.LookAlike?,
        progress: @escaping (String) -> Void
    ) throws {
        self.isPulled = isPulled
        self.lookAlike = lookAlike
        self.store = store
        self.archive = archive
        self.progress = progress
        staging = "\(store.places.staging)/\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Files.makeDirectory(staging, mode: 0o700)
    }

    func run(_ images: [ArchivedImage]) throws -> [ImageRecord] {
        let wanted = images.flatMap(missing)
        let fetched = try fetch(wanted)
        let facts = try unpack(wanted, fetched)
        if !wanted.isEmpty { try places.sync() }
        for blob in fetched.values { try places.move(blob.path, to: places.blob(blob.descriptor.digest)) }
        for (layer, found) in facts where !Files.isDirectory(places.layer(layer)) {
            try Files.write(found.json.text() + "\n", to: places.facts(layer), mode: 0o600)
            try places.move("\(staging)/\(layer.hex)", to: places.layer(layer))
        }
        for image in images { try top(image) }
        var records = try store.records(), added: [ImageRecord] = []
        for image in images {
            let record = try keep(image)
            records.add(record)
            added.append(record)
        }
        if try store.records() != records { try store.write(records) }
        return added
    }

    private func missing(_ image: ArchivedImage) -> [Wanted] {
        image.layers.indices.compactMap { number in
            let layer = image.layers[number], digest = image.description.layers[number]
            let blob = layer.descriptor?.digest ?? LayerFacts(places.facts(digest))?.blob.digest
            if let blob, Files.exists(places.blob(blob)), Files.isDirectory(places.layer(digest)) { return nil }
            return Wanted(image: image.title, number: number, file: layer.path, layer: digest, descriptor: layer.descriptor)
        }
    }

    // MARK: Blobs

    /// Copies the layers out of the archive; by their files there.
    private func fetch(_ wanted: [Wanted]) throws -> [String: Fetched] {
        var fetched: [String: Fetched] = [:]
        let byFile = Dictionary(wanted.map { ($0.file, $0) }, uniquingKeysWith: { first, _ in first })
        var current: Wanted?
        do {
            try archive.copy(Set(byFile.keys)) { file in
                current = byFile[file]
                progress("reading \(file)")
                return try BlobFile("\(staging)/blob-\(fetched.count)")
            } done: { file, blob in
                let digest = blob.digest()
                if let said = byFile[file]?.descriptor, said.digest != digest || said.size != blob.size {
                    throw ImageError("it does not match its digest and size", hint: "save the image again")
                }
                let descriptor = byFile[file]?.descriptor
                fetched[file] = Fetched(
                    path: blob.path,
                    descriptor: descriptor ?? ContentDescriptor(mediaType: blob.layerType, digest: digest, size: blob.size))
            }
        } catch { throw Self.explained(error, current) }
        if let lacking = wanted.first(where: { fetched[$0.file] == nil }) {
            throw ImageError("\(lacking.title): \(archive.name) lacks it", hint: "save the image again")
        }
        return fetched
    }

    // MARK: Layers

    /// Unpacks what is not there, two layers at once: as many as a small machine has processors.
    private func unpack(_ wanted: [Wanted], _ fetched: [String: Fetched]) throws -> [ContentDigest: LayerFacts] {
        var first: [ContentDigest: Wanted] = [:]
        for layer in wanted where !Files.isDirectory(places.layer(layer.layer)) { first[layer.layer] = first[layer.layer] ?? layer }
        // The largest first, so that the last one does not keep everybody waiting.
        let queue = first.values.sorted { fetched[$0.file]?.descriptor.size ?? 0 > fetched[$1.file]?.descriptor.size ?? 0 }
        let state = Mutex((next: 0, facts: [ContentDigest: LayerFacts](), error: (any Error)?.none))
        if !queue.isEmpty { progress("unpacking \(queue.count) layers") }
        let (unpack, staging) = (store.unpack, staging)
        DispatchQueue.concurrentPerform(iterations: min(2, queue.count)) { _ in
            while true {
                let place = state.withLock { state -> Int? in
                    guard state.error == nil, state.next < queue.count else { return nil }
                    state.next += 1
                    return state.next - 1
                }
                guard let place, let blob = fetched[queue[place].file] else { return }
                do {
                    let facts = try Self.unpack(queue[place], blob, unpack, staging)
                    state.withLock { $0.facts[queue[place].layer] = facts }
                } catch { state.withLock { $0.error = $0.error ?? Self.explained(error, queue[place]) } }
            }
        }
        return try state.withLock { state in
            if let error = state.error { throw error }
            return state.facts
        }
    }

    private static func unpack(_ layer: Wanted, _ blob: Fetched, _ unpack: LayerUnpack, _ staging: String) throws -> LayerFacts {
        let directory = "\(staging)/\(layer.layer.hex)"
        try Files.makeDirectory(directory)
        let result = try unpack.run(blob.path, into: directory)
        guard result.digest == layer.layer else {
            throw ImageError(
                "its content is \(result.digest), and the image's configuration says \(layer.layer)", hint: "build or save it again")
        }
        return LayerFacts(blob: blob.descriptor, bytes: result.bytes, entries: result.entries, implied: result.implied)
    }

    /// An error with the layer that it is about, and what to do.
    private static func explained(_ error: any Error, _ layer: Wanted?) -> any Error {
        let title = layer.map { "\($0.title): " } ?? ""
        if let error = error as? FileError, error.errno == ENOSPC || error.errno == EDQUOT {
            return ImageError("\(title)the disk is full (\(error))", hint: "minik image prune --all makes room")
        }
        guard let error = error as? ImageError else { return ImageError("\(title)\(error)") }
        guard error.hint == nil else { return ImageError(title + error.message, hint: error.hint) }
        let isFull = error.message.hasSuffix(String(cString: strerror(ENOSPC)))
        return ImageError(
            "\(title)\(error.message)",
            hint: isFull ? "the disk is full: minik image prune --all makes room" : "build or save the image again")
    }

    // MARK: The image

    /// The layer of directories that the image needs on top, where its layers do not say what they are like.
    private func top(_ image: ArchivedImage) throws {
        let layers = image.description.layers, id = ContentDigest(of: image.configuration), made = "\(staging)/top-\(id.hex)"
        let implying = layers.filter { LayerFacts(places.facts($0))?.implied ?? 0 > 0 }.map(places.layer)
        guard !implying.isEmpty, !Files.isDirectory(places.top(id)) else { return }
        do {
            guard try ImpliedDirectories(layers: store.stack(layers), implying: Set(implying)).make(in: made) else { return }
        } catch { throw Self.explained(error, nil) }
        try places.sync()
        try places.move(made, to: places.top(id))
    }

    /// Keeps what describes an image, now that its layers are there.
    private func keep(_ image: ArchivedImage) throws -> ImageRecord {
        let manifest = try image.manifest ?? own(image)
        let documents = image.documents + [image.configuration] + (image.manifest == nil ? [manifest.bytes] : [])
        for bytes in documents {
            let path = places.blob(ContentDigest(of: bytes))
            if !Files.exists(path) { try Files.write(bytes, to: path, mode: 0o600) }
        }
        let digest = ContentDigest(of: image.documents.last ?? manifest.bytes), names = image.names.map(\.description).sorted()
        return ImageRecord(
            digest: image.digest ?? digest, manifest: digest, id: ContentDigest(of: image.configuration),
            names: names, pulled: isPulled ? names : [], loaded: .now(), lookAlike: lookAlike)
    }

    /// The manifest of an image that came without one.
    private func own(_ image: ArchivedImage) throws -> ImageManifest {
        let configuration = ContentDescriptor(
            mediaType: ImageManifest.configurationType, digest: ContentDigest(of: image.configuration), size: image.configuration.count)
        let layers = try image.description.layers.map { layer in
            guard let facts = LayerFacts(places.facts(layer)) else {
                throw ImageError("image \(image.title): what was known of its layer \(layer) is gone", hint: "load it again")
            }
            return facts.blob
        }
        return ImageManifest(configuration: configuration, layers: layers)
    }
}
