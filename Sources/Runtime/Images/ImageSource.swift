/// Somewhere that images come from: minik's own recipes, what was loaded, a registry.
package protocol ImageSource: Sendable {
    /// The image that has this name; nil when this source has none.
    func resolve(_ reference: ImageReference) async throws -> Image?
    /// The same for a container of a pod, which has it from now on: nobody removes it while the file of its use is there.
    func resolve(_ reference: ImageReference, for use: ImageUse) async throws -> Image?
    /// What it has.
    func listings() async throws -> [ImageListing]
}

extension ImageSource {
    package func resolve(_ reference: ImageReference, for use: ImageUse) async throws -> Image? {
        let image = try await resolve(reference)
        // What nobody removes needs no note, and one of what the container had before would be wrong.
        if image != nil { use.forget() }
        return image
    }
}

/// Sources in the order in which they are asked.
package struct ImageSources: ImageSource {
    private let sources: [any ImageSource]

    package init(_ sources: [any ImageSource]) { self.sources = sources }

    package func resolve(_ reference: ImageReference) async throws -> Image? {
        for source in sources { if let image = try await source.resolve(reference) { return image } }
        return nil
    }

    package func resolve(_ reference: ImageReference, for use: ImageUse) async throws -> Image? {
        for source in sources { if let image = try await source.resolve(reference, for: use) { return image } }
        return nil
    }

    package func listings() async throws -> [ImageListing] {
        var listings: [ImageListing] = []
        for source in sources { listings += try await source.listings() }
        return listings
    }
}
