/// Somewhere that images come from: minik's own recipes, what was loaded, a registry.
package protocol ImageSource: Sendable {
    /// The image that has this name; nil when this source has none.
    func resolve(_ reference: ImageReference) async throws -> Image?
    /// What it has, for people who ask for something else.
    var names: [String] { get }
}

/// Sources in the order in which they are asked.
package struct ImageSources: ImageSource {
    private let sources: [any ImageSource]

    package init(_ sources: [any ImageSource]) { self.sources = sources }

    package func resolve(_ reference: ImageReference) async throws -> Image? {
        for source in sources { if let image = try await source.resolve(reference) { return image } }
        return nil
    }

    package var names: [String] { sources.flatMap(\.names) }
}

/// An image that there is none of.
package struct ImageNotFound: Error, CustomStringConvertible {
    package let reference: ImageReference
    package let names: [String]
    package var description: String {
        "failed to pull and unpack image \"\(reference)\": failed to resolve image: minik has the images \(names.joined(separator: ", ")) (any tag)"
    }
}
