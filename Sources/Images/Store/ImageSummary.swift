import Model
import Runtime

/// An image of the store, for people and for machines.
package struct ImageSummary: Sendable {
    package let record: ImageRecord
    package let manifest: ImageManifest
    package let description: ImageDescription
    /// Of each layer, unpacked, the lowest first.
    package let layerSizes: [Int]

    package init(record: ImageRecord, manifest: ImageManifest, description: ImageDescription, layerSizes: [Int]) {
        self.record = record
        self.manifest = manifest
        self.description = description
        self.layerSizes = layerSizes
    }

    package var size: Int { layerSizes.reduce(0, +) }
    /// What its contents come to as a registry keeps them.
    package var packedSize: Int { manifest.bytes.count + manifest.configuration.size + manifest.layers.reduce(0) { $0 + $1.size } }
    /// Where it came from; one that came in both ways is its registry's.
    package var source: String { !record.pulled.isEmpty ? "pulled" : record.lookAlike != nil ? "built-in" : "loaded" }

    package var listing: ImageListing {
        // No registry has a look-alike under its digest.
        let own = record.lookAlike.map { ["\($0.title):latest"] } ?? []
        return ImageListing(names: repositoryDigests + record.names + own.filter { !record.names.contains($0) }, size: packedSize)
    }
    private var repositoryDigests: [String] {
        Set(record.names.compactMap(ImageReference.init).map { "\($0.registry)/\($0.repository)" }).sorted().map {
            "\($0)@\(record.digest)"
        }
    }

    /// As `image ls -o json` has it.
    package var listed: JSON {
        [
            "id": .string(record.id.description), "digest": .string(record.digest.description),
            "names": .array((record.names + (record.lookAlike.map { [$0.title] } ?? [])).map(JSON.string)),
            "created": JSON(description.created?.description),
            "loaded": .string(record.loaded.description), "platform": .string(description.platform.description), "size": .int(size),
            "source": .string(source),
        ]
    }

    /// As `docker image inspect` has it.
    package var inspected: JSON {
        [
            "Id": .string(record.id.description), "RepoTags": .array(record.names.map(JSON.string)),
            "RepoDigests": .array(repositoryDigests.map(JSON.string)), "Created": description.json["created"],
            "Author": description.json["author"], "Architecture": .string(description.platform.architecture),
            "Variant": description.platform.variant.isEmpty ? .null : .string(description.platform.variant),
            "Os": .string(description.platform.os), "Size": .int(size),
            "Config": description.json["config"].isNull ? .emptyObject : description.json["config"],
            "RootFS": ["Type": "layers", "Layers": .array(description.layers.map { .string($0.description) })],
        ]
    }

    /// The steps of its making, the last first, each with what it added.
    package var history: [(step: ImageDescription.Step, size: Int)] {
        description.history.reversed().map { step in
            (step, step.layer.flatMap { layerSizes.indices.contains($0) ? layerSizes[$0] : nil } ?? 0)
        }
    }

    /// A size as docker writes it: four digits at most, powers of 1000. (docker/go-units HumanSize)
    package static func human(_ bytes: Int) -> String {
        var value = Double(bytes), unit = 0
        let units = ["B", "kB", "MB", "GB", "TB"]
        while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        if unit == 0 { return "\(bytes)B" }
        let digits = value < 10 ? 100.0 : value < 100 ? 10.0 : 1.0
        let rounded = (value * digits).rounded() / digits
        let text = rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
        return text + units[unit]
    }
}

extension ImageStore {
    package func summary(_ record: ImageRecord) throws -> ImageSummary {
        let (manifest, description) = try contents(of: record)
        return ImageSummary(record: record, manifest: manifest, description: description, layerSizes: sizes(description))
    }

    /// All images; of those whose contents cannot be read any more, `complain` hears what is wrong.
    package func summaries(complain: (String) -> Void) throws -> [ImageSummary] {
        try records().images.compactMap { record in
            do { return try summary(record) } catch {
                complain("\(error)")
                return nil
            }
        }
    }
}
