/// A release of Kubernetes: which API versions it serves follows from it.
package struct KubernetesVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int
    package let patch: Int

    package init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
        (self.major, self.minor, self.patch) = (major, minor, patch)
    }

    /// `v1.18.0`, `v1.18`, or the same without the letter.
    package init?(_ text: String) {
        let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        let numbers = parts.compactMap { Int($0) }
        guard isPlain, (2...3).contains(numbers.count), numbers.count == parts.count else { return nil }
        self.init(numbers[0], numbers[1], numbers.count > 2 ? numbers[2] : 0)
    }

    package var description: String { "v\(major).\(minor).\(patch)" }

    package static func < (a: KubernetesVersion, b: KubernetesVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }

    /// The one whose API minik serves.
    package static let current = KubernetesVersion(Version.kubernetes.major, Version.kubernetes.minor)
    /// The earliest whose API versions minik still converts.
    package static let oldest = KubernetesVersion(1, 16)
}
