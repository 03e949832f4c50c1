import Glibc
import Model

/// What an image is made for. (opencontainers/image-spec image-index.md, "platform"; Go's names)
package struct Platform: Sendable, Hashable, CustomStringConvertible {
    package let os: String
    package let architecture: String
    package let variant: String

    package init(os: String, architecture: String, variant: String = "") {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    package init(_ json: JSON) {
        self.init(os: json["os"].string ?? "", architecture: json["architecture"].string ?? "", variant: json["variant"].string ?? "")
    }

    package static let machine: Platform = {
        var names = utsname()
        uname(&names)
        let machine = withUnsafeBytes(of: &names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return Platform(os: "linux", uname: machine)
    }()

    /// By what uname(2) calls a machine.
    package init(os: String, uname: String) {
        switch uname {
        case "x86_64": self.init(os: os, architecture: "amd64")
        case "aarch64": self.init(os: os, architecture: "arm64", variant: "v8")
        case "armv7l": self.init(os: os, architecture: "arm", variant: "v7")
        case "armv6l": self.init(os: os, architecture: "arm", variant: "v6")
        case "i686", "i586": self.init(os: os, architecture: "386")
        default: self.init(os: os, architecture: uname)
        }
    }

    /// Whether this machine runs images that are made for `other`.
    package func runs(_ other: Platform) -> Bool { other.os == os && other.architecture == architecture && rank(other) != nil }

    /// The one of several that suits this machine best; nil when none does.
    package func best<T>(of choices: [T], _ platform: (T) -> Platform) -> T? {
        choices.filter { runs(platform($0)) }.min { rank(platform($0)) ?? .max < rank(platform($1)) ?? .max }
    }

    /// How far a variant is from the machine's own: older ones run, newer ones may not.
    private func rank(_ other: Platform) -> Int? {
        if other.variant == variant || other.variant.isEmpty { return 0 }
        let level = { (text: String) in text.hasPrefix("v") ? Int(text.dropFirst()) : nil }
        guard let theirs = level(other.variant), let ours = variant.isEmpty ? 1 : level(variant), theirs <= ours else { return nil }
        return ours - theirs
    }

    package var description: String { "\(os)/\(architecture)\(variant.isEmpty ? "" : "/\(variant)")" }
}
