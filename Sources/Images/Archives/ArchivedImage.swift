import Model
import Runtime

/// One image as an archive holds it, its layers not yet looked at.
package struct ArchivedImage: Sendable {
    package struct Layer: Sendable {
        /// Its file in the archive.
        let path: String
        /// What its manifest says it is; nil where there is no manifest but Docker's own list.
        let descriptor: ContentDescriptor?
    }

    package let names: [ImageReference]
    /// Of what the archive lists: an index or a manifest; nil with Docker's own list, which has neither.
    package let digest: ContentDigest?
    /// The index and the manifest, byte for byte.
    package let documents: [[UInt8]]
    package let manifest: ImageManifest?
    package let configuration: [UInt8]
    package let description: ImageDescription
    package let layers: [Layer]

    /// What to call it to people.
    package var title: String { names.first?.description ?? ContentDigest(of: configuration).description }

    /// All images of an archive, each for this machine.
    package static func all(in archive: any ImageArchive, machine: Platform = .machine) throws -> [ArchivedImage] {
        let list = try archive.document("manifest.json"), index = try archive.document("index.json")
        var found: [ArchivedImage] = []
        if let index {
            found = try OCIArchive(archive: archive, machine: machine, list: list ?? .null).images(index)
        } else if let list {
            found = try list.items.map { try dockers($0, archive, machine) }
        }
        guard !found.isEmpty else {
            throw ImageError(
                "\(archive.name) holds no image: it has neither an index.json nor a manifest.json that names one",
                hint: "make it with docker save, podman save, or skopeo copy ... oci-archive:FILE")
        }
        return found
    }

    /// An entry of `docker save`'s manifest.json.
    private static func dockers(_ json: JSON, _ archive: any ImageArchive, _ machine: Platform) throws -> ArchivedImage {
        let names = references(json["RepoTags"].items.compactMap(\.string))
        let title = names.first?.description ?? archive.name, path = json["Config"].string ?? ""
        guard let bytes = try archive.content(path) else {
            throw ImageError("image \(title): \(archive.name) lacks its configuration \(path)", hint: "save the image again")
        }
        return try named(title) {
            // docker calls the file by its digest.
            let file = path.split(separator: "/").last.map(String.init)?.replacing(".json", with: "") ?? ""
            if let said = ContentDigest(hex: file), said != ContentDigest(of: bytes) {
                throw ImageError("its configuration \(path) does not match its digest", hint: "save the image again")
            }
            let layers = json["Layers"].items.compactMap(\.string).map { Layer(path: $0, descriptor: nil) }
            return ArchivedImage(
                names: names, digest: nil, documents: [], manifest: nil, configuration: bytes,
                description: try description(of: bytes, layers.count, machine), layers: layers)
        }
    }

    static func description(of bytes: [UInt8], _ count: Int, _ machine: Platform) throws -> ImageDescription {
        let description = try ImageDescription(try JSON(parsing: bytes))
        guard machine.runs(description.platform) else {
            throw ImageError(
                "it is for \(description.platform), and this machine is \(machine)",
                hint: "build it with --platform \(machine.os)/\(machine.architecture)")
        }
        guard description.layers.count == count else {
            throw ImageError(
                "its configuration names \(description.layers.count) layers and its manifest \(count)", hint: "build or save it again")
        }
        return description
    }

    static func references(_ texts: [String]) -> [ImageReference] {
        texts.compactMap(ImageReference.init).filter { $0.tag != nil && $0.digest == nil }
    }

    /// Says which image an error is about.
    static func named<R>(_ title: String, _ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as ImageError {
            throw ImageError("image \(title): \(error.message)", hint: error.hint)
        } catch let error as JSONError {
            throw ImageError("image \(title): what describes it is no JSON (\(error))", hint: "build or save it again")
        }
    }
}

extension ImageArchive {
    /// A file of JSON; nil when there is none of that name.
    func document(_ path: String) throws -> JSON? {
        guard let bytes = try content(path) else { return nil }
        do { return try JSON(parsing: bytes) } catch {
            throw ImageError("\(path) in \(name) is no JSON: \(error)", hint: "save the image again")
        }
    }
}
