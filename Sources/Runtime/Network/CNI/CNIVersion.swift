/// A version of the CNI specification. (containernetworking/cni SPEC.md, "Version")
package struct CNIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    private let parts: [Int]
    package let description: String

    /// Nil for what is not three numbers.
    package init?(_ text: String) {
        let words = text.split(separator: ".", omittingEmptySubsequences: false)
        parts = words.compactMap { UInt16($0).map(Int.init) }
        guard words.count == 3, parts.count == 3 else { return nil }
        description = text
    }

    private init(_ major: Int, _ minor: Int, _ patch: Int) {
        parts = [major, minor, patch]
        description = "\(major).\(minor).\(patch)"
    }

    package static func < (a: CNIVersion, b: CNIVersion) -> Bool { a.parts.lexicographicallyPrecedes(b.parts) }

    /// What a configuration without a version means.
    package static let first = CNIVersion(0, 1, 0)
    /// Since when results have lists of links and addresses.
    package static let withInterfaces = CNIVersion(0, 3, 0)
    /// Since when an address' family is not told beside it.
    package static let withoutFamilies = CNIVersion(1, 0, 0)
    /// Since when plugins are asked whether all is still as they made it.
    package static let withCheck = CNIVersion(0, 4, 0)
    /// Since when plugins are asked for their state, and told what is still in use.
    package static let withStatusAndGC = CNIVersion(1, 1, 0)
    package static let all = [
        first, CNIVersion(0, 2, 0), withInterfaces, CNIVersion(0, 3, 1), withCheck, withoutFamilies, withStatusAndGC,
    ]
}
