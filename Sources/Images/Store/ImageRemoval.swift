import Glibc
import Host
import Model
import Runtime

extension ImageStore {
    /// Gives an image one more name. `isPulled`: its registry says so.
    package func tag(_ source: String, _ name: ImageReference, isPulled: Bool = false) throws {
        guard name.tag != nil, name.digest == nil else {
            throw ImageError("\"\(name)\" is a digest, which is no name to give", hint: "write NAME:TAG")
        }
        try changing {
            var records = try records()
            let image = try records.find(source)
            records.add(
                ImageRecord(
                    digest: image.digest, manifest: image.manifest, id: image.id, names: [name.description],
                    pulled: isPulled ? [name.description] : [], loaded: image.loaded))
            try write(records)
        }
    }

    /// What a removal did.
    package struct Removal: Sendable {
        package var names: [String] = []
        package var images: [ImageRecord] = []
        /// Bytes that the disk has back.
        package var bytes = 0

        fileprivate mutating func take(_ image: ImageRecord, from records: inout ImageRecords) {
            records.remove(image)
            names += image.names + (image.lookAlike.map { [$0.title] } ?? [])
            images.append(image)
        }
    }

    /// Takes names away, and images with their last name; none that a pod has.
    package func remove(_ texts: [String]) throws -> Removal {
        try removing { records, held, removal in
            for text in texts {
                let image = try records.find(text)
                if let name = ImageReference(text)?.description, image.names.contains(name) {
                    guard image.names.count == 1 else {
                        records.remove(names: [name])
                        removal.names.append(name)
                        continue
                    }
                } else if image.names.count > 1 {
                    throw ImageError(
                        "image \(image.id.short) has \(image.names.count) names", hint: "remove them: \(image.names.joined(separator: " "))"
                    )
                }
                if let pod = held.first(where: { $0.manifest == image.manifest })?.pod {
                    throw ImageError("image \(image.title) is in use by pod \(pod)", hint: "delete the pod first")
                }
                removal.take(image, from: &records)
            }
        }
    }

    /// Removes images without a name, or `all` that no pod has; and whatever in the store belongs to none.
    package func prune(all: Bool) throws -> Removal {
        try removing { records, held, removal in
            for image in records.images where all || (image.names.isEmpty && image.lookAlike == nil) {
                guard !held.contains(where: { $0.manifest == image.manifest }) else { continue }
                removal.take(image, from: &records)
            }
        }
    }

    /// Removes an image that nothing names any more, unless a pod has it.
    func drop(_ manifest: ContentDigest) throws {
        _ = try removing { records, held, removal in
            guard let image = records.image(manifest), image.names.isEmpty, image.lookAlike == nil,
                !held.contains(where: { $0.manifest == manifest })
            else { return }
            removal.take(image, from: &records)
        }
    }

    private func removing(_ body: (inout ImageRecords, [HeldImage], inout Removal) throws -> Void) throws -> Removal {
        try changing {
            var removal = Removal()
            // While it is held no pod takes an image; those that have one have said so.
            let lock = try StoreLock(places.removalLock)
            var records = try records()
            try body(&records, HeldImage.all(clusters), &removal)
            if try records != self.records() { try write(records) }
            lock.release()
            removal.bytes = try sweep(records)
            return removal
        }
    }

    /// Removes what no image reaches; how many bytes that were.
    private func sweep(_ records: ImageRecords) throws -> Int {
        var blobs: Set<String> = [], layers: Set<String> = [], bytes = 0
        for record in records.images {
            let manifest: ImageManifest, description: ImageDescription
            do { (manifest, description) = try contents(of: record) } catch {
                // Nobody knows what belongs to it: all stays until it is loaded again, or gone.
                return 0
            }
            blobs.formUnion(
                ([record.digest, record.manifest, manifest.configuration.digest] + manifest.layers.map(\.digest)).map(\.hex))
            layers.formUnion(description.layers.map(\.hex) + [record.id.hex])
            // An image that was loaded with layers of another compression than those that were there.
            blobs.formUnion(description.layers.compactMap { LayerFacts(places.facts($0))?.blob.digest.hex })
        }
        for name in Files.list(places.blobs) where !blobs.contains(name) {
            bytes += Files.size("\(places.blobs)/\(name)")
            unlink("\(places.blobs)/\(name)")
        }
        for name in Files.list(places.layers) where !layers.contains(name.replacing(".json", with: "")) {
            if name.hasSuffix(".json") {
                bytes += LayerFacts("\(places.layers)/\(name)")?.bytes ?? 0
                unlink("\(places.layers)/\(name)")
                continue
            }
            // Out of the way first: a layer that is there is whole.
            let trash = "\(places.staging)/\(name)"
            try places.move("\(places.layers)/\(name)", to: trash)
            Files.removeTree(trash)
        }
        return bytes
    }
}
