import Model

/// An image as a list of a machine's images has it.
package struct ImageListing: Sendable, Hashable {
    /// Repositories with the digest that they know it by, then names with a tag.
    package let names: [String]
    package let size: Int

    package init(names: [String], size: Int) {
        self.names = names
        self.size = size
    }

    private static let most = 50, mostNames = 5

    /// As a Node tells it: the largest, no more than fifty. (pkg/kubelet/nodestatus/setters.go, Images)
    package static func status(_ listings: [ImageListing]) -> JSON {
        let sorted = listings.filter { !$0.names.isEmpty }.sorted { $0.size == $1.size ? $0.names[0] < $1.names[0] : $0.size > $1.size }
        return .array(
            sorted.prefix(most).map { image in
                ["names": .array(image.names.prefix(mostNames).map(JSON.string)), "sizeBytes": .int(image.size)]
            })
    }
}
