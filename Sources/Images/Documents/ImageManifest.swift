import Model

/// A content as a manifest or an index names it. (opencontainers/image-spec descriptor.md)
package struct ContentDescriptor: Sendable, Hashable {
    package let mediaType: String
    package let digest: ContentDigest
    package let size: Int
    package let platform: Platform?
    package let annotations: JSON

    package init(mediaType: String, digest: ContentDigest, size: Int) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        platform = nil
        annotations = .null
    }

    package init(_ json: JSON) throws(ImageError) {
        let text = json["digest"].string ?? ""
        guard let digest = ContentDigest(text) else { throw ImageError("\"\(text)\" is no digest of a content: minik reads sha256") }
        guard let size = json["size"].int, size >= 0 else { throw ImageError("the content \(digest) has no size") }
        self.digest = digest
        self.size = size
        mediaType = json["mediaType"].string ?? ""
        platform = json["platform"].isNull ? nil : Platform(json["platform"])
        annotations = json["annotations"]
    }

    package var json: JSON { ["mediaType": .string(mediaType), "digest": .string(digest.description), "size": .int(size)] }
}

/// What an image is made of: its configuration and its layers, the lowest first. (opencontainers/image-spec manifest.md)
package struct ImageManifest: Sendable, Hashable {
    package static let mediaType = "application/vnd.oci.image.manifest.v1+json"
    package static let configurationType = "application/vnd.oci.image.config.v1+json"
    package static let layerType = "application/vnd.oci.image.layer.v1.tar"
    private static let configurationTypes: Set = [configurationType, "application/vnd.docker.container.image.v1+json", ""]

    package let configuration: ContentDescriptor
    package let layers: [ContentDescriptor]

    package init(configuration: ContentDescriptor, layers: [ContentDescriptor]) {
        self.configuration = configuration
        self.layers = layers
    }

    package init(_ json: JSON) throws(ImageError) {
        guard json["schemaVersion"].int == 2 else {
            throw ImageError(
                "its manifest is of an old form (schemaVersion \(json["schemaVersion"].int ?? 1))", hint: "build or push it anew")
        }
        configuration = try ContentDescriptor(json["config"])
        guard Self.configurationTypes.contains(configuration.mediaType) else {
            throw ImageError("it is no container image but a \(configuration.mediaType)")
        }
        var layers: [ContentDescriptor] = []
        for layer in json["layers"].items { layers.append(try ContentDescriptor(layer)) }
        self.layers = layers
    }

    /// As OCI writes it; the same image has the same bytes.
    package var bytes: [UInt8] {
        let json: JSON = [
            "schemaVersion": 2, "mediaType": .string(Self.mediaType), "config": configuration.json, "layers": .array(layers.map(\.json)),
        ]
        return json.bytes()
    }
}

/// The manifests of one image for several platforms, or of all images of a layout. (opencontainers/image-spec image-index.md)
package struct ImageIndex: Sendable {
    package let manifests: [ContentDescriptor]

    package init(_ json: JSON) throws(ImageError) {
        var manifests: [ContentDescriptor] = []
        for item in json["manifests"].items { manifests.append(try ContentDescriptor(item)) }
        // What says how an image was built stands among the images, for a platform that no machine has.
        self.manifests = manifests.filter {
            $0.annotations["vnd.docker.reference.type"].isNull && $0.platform?.architecture != "unknown"
        }
    }

    /// An index in the place of a manifest: its media type may be missing.
    package static func isIndex(_ json: JSON) -> Bool { json["manifests"].array != nil }

    package func choose(for machine: Platform) throws(ImageError) -> ContentDescriptor {
        if let chosen = machine.best(of: manifests, { $0.platform ?? machine }) { return chosen }
        let others = manifests.compactMap { $0.platform?.description }
        throw ImageError(
            "it is for \(others.isEmpty ? "no platform" : others.joined(separator: ", ")), and this machine is \(machine)",
            hint: "build it with --platform \(machine.os)/\(machine.architecture)")
    }
}
