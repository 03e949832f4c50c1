import Model
import Runtime

/// An image of the store: what it is known by.
package struct ImageRecord: Sendable, Hashable {
    /// Of the index or manifest that its maker, or its registry, knows it by.
    package let digest: ContentDigest
    /// Of its manifest for this machine.
    package let manifest: ContentDigest
    /// Of its configuration: its ID.
    package let id: ContentDigest
    /// Whole names, each with a tag, sorted.
    package var names: [String]
    /// Those of the names under which it came from their registry, rather than out of an archive or by somebody's word.
    package var pulled: [String]
    package let loaded: Timestamp
    /// Of one that minik assembled: which of its look-alikes it is, and of what state of things.
    package var lookAlike: LookAlike?

    package struct LookAlike: Sendable, Hashable {
        /// The public repository that it is like, whole.
        package let title: String
        /// What it was made of; another one asks for another image.
        package let stamp: String

        package init(title: String, stamp: String) {
            self.title = title
            self.stamp = stamp
        }
    }

    package init(
        digest: ContentDigest, manifest: ContentDigest, id: ContentDigest, names: [String], pulled: [String] = [], loaded: Timestamp,
        lookAlike: LookAlike? = nil
    ) {
        self.pulled = pulled
        self.lookAlike = lookAlike
        self.digest = digest
        self.manifest = manifest
        self.id = id
        self.names = names
        self.loaded = loaded
    }
}

/// All images of a store: its one file of names, as a value.
package struct ImageRecords: Sendable, Hashable {
    package private(set) var images: [ImageRecord] = []

    package init() {}

    package init(_ json: JSON) throws(ImageError) {
        guard json["version"].int == 1 else {
            throw ImageError("the list of images was written by another minik (version \(json["version"].int ?? 0))", hint: "use that one")
        }
        for item in json["images"].items {
            guard let digest = item["digest"].string.flatMap({ ContentDigest($0) }),
                let manifest = item["manifest"].string.flatMap({ ContentDigest($0) }),
                let id = item["id"].string.flatMap({ ContentDigest($0) })
            else { throw ImageError("the list of images is damaged") }
            images.append(
                ImageRecord(
                    digest: digest, manifest: manifest, id: id, names: item["names"].items.compactMap(\.string),
                    pulled: item["pulled"].items.compactMap(\.string),
                    loaded: item["loaded"].string.flatMap(Timestamp.init) ?? Timestamp(seconds: 0),
                    lookAlike: item["lookAlike"].string.map { ImageRecord.LookAlike(title: $0, stamp: item["stamp"].string ?? "") }))
        }
    }

    package var json: JSON {
        let list = images.map { image -> JSON in
            [
                "digest": .string(image.digest.description), "manifest": .string(image.manifest.description),
                "id": .string(image.id.description), "names": .array(image.names.map(JSON.string)),
                "pulled": image.pulled.isEmpty ? .null : .array(image.pulled.map(JSON.string)),
                "loaded": .string(image.loaded.description), "lookAlike": JSON(image.lookAlike?.title),
                "stamp": JSON(image.lookAlike?.stamp),
            ]
        }
        return ["version": 1, "images": .array(list)]
    }

    /// The image that a pod means: by its digest, whatever its name, or by its name.
    package func image(_ reference: ImageReference) -> ImageRecord? {
        if let digest = reference.digest { return images.first { [$0.digest.description, $0.manifest.description].contains(digest) } }
        return images.first { $0.names.contains(reference.description) }
    }

    /// What people mean: a name, a digest, or the beginning of an ID.
    package func find(_ text: String) throws(ImageError) -> ImageRecord {
        if let reference = ImageReference(text) {
            if let image = image(reference) { return image }
            if reference.digest == nil, let own = lookAlike("\(reference.registry)/\(reference.repository)") { return own }
        }
        let start = text.hasPrefix("sha256:") ? String(text.dropFirst("sha256:".count)) : text
        let found = start.utf8.count < 4 ? [] : images.filter { [$0.id, $0.digest, $0.manifest].contains { $0.hex.hasPrefix(start) } }
        if found.count == 1 { return found[0] }
        if found.count > 1 { throw ImageError("\"\(text)\" begins the ID of \(found.count) images", hint: "give more of it") }
        throw Self.absent(text)
    }

    /// What is not there; it may be one that minik makes when a pod asks for it.
    private static func absent(_ text: String) -> ImageError {
        if let reference = ImageReference(text), let recipe = (try? RecipeBook.recipes)?.first(where: { $0.answers(reference) }) {
            return ImageError(
                "image \"\(text)\" is a look-alike of minik's that is not assembled yet",
                hint: "minik image assemble \(recipe.name) makes it, minik image pull \(text) takes the real one")
        }
        return ImageError("there is no image \"\(text)\"", hint: "minik image ls shows what there is")
    }

    /// minik's own that is like a repository.
    package func lookAlike(_ title: String) -> ImageRecord? { images.first { $0.lookAlike?.title == title } }

    package func image(_ digest: ContentDigest) -> ImageRecord? { images.first { $0.digest == digest || $0.manifest == digest } }

    /// Takes an image in; its names are no other's from now on.
    package mutating func add(_ record: ImageRecord) {
        remove(names: record.names)
        if let title = record.lookAlike?.title {
            for index in images.indices where images[index].lookAlike?.title == title { images[index].lookAlike = nil }
        }
        if let place = images.firstIndex(where: { $0.digest == record.digest && $0.manifest == record.manifest }) {
            images[place].names = (images[place].names + record.names).sorted()
            images[place].pulled = (images[place].pulled + record.pulled).sorted()
            images[place].lookAlike = record.lookAlike ?? images[place].lookAlike
        } else {
            images.append(record)
        }
    }

    /// Takes names away; the images stay.
    package mutating func remove(names: [String]) {
        for index in images.indices {
            images[index].names.removeAll { names.contains($0) }
            images[index].pulled.removeAll { names.contains($0) }
        }
    }

    package mutating func remove(_ record: ImageRecord) {
        images.removeAll { $0.digest == record.digest && $0.manifest == record.manifest }
    }
}
