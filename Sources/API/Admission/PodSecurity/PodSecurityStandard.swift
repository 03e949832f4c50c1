import Model

/// How much a namespace allows its pods, in the words of one release.
/// (kubernetes.io/docs/concepts/security/pod-security-standards)
package struct PodSecurityStandard: Hashable, Sendable, CustomStringConvertible {
    package enum Level: String, CaseIterable, Comparable, Sendable {
        case privileged, baseline, restricted

        package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    package let level: Level
    /// The minor number of a release 1.x; nil: the latest.
    package let minor: Int?

    package init(_ level: Level, minor: Int? = nil) {
        self.level = level
        self.minor = minor
    }

    package var description: String { "\(level):\(minor.map { "v1.\($0)" } ?? "latest")" }
    func isSince(_ first: Int) -> Bool { minor.map { $0 >= first } ?? true }
}
