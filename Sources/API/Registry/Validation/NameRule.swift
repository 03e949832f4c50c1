/// What the objects of a kind may be called.
enum NameRule: Sendable {
    case subdomain, label
    /// A label that begins with a letter.
    case dns1035
    /// No more than a step of a path: `system:node` has a colon.
    case pathSegment
    /// Anything; the kind's own validation looks.
    case free

    func complaint(_ name: String) -> String? {
        switch self {
        case .label, .dns1035:
            if name.utf8.count > 63 { return "must be no more than 63 bytes" }
            let isGood = Names.isLabel(name) && (self == .label || name.first?.isNumber != true)
            if isGood { return nil }
            return self == .label ? Names.labelMessage : Names.dns1035Message
        case .free: return nil
        case .pathSegment:
            if [".", ".."].contains(name) { return "may not be '\(name)'" }
            return name.contains("/") || name.contains("%") ? "may not contain '\(name.contains("/") ? "/" : "%")'" : nil
        case .subdomain:
            if name.utf8.count > 253 { return "must be no more than 253 bytes" }
            return Names.isSubdomain(name) ? nil : Names.subdomainMessage
        }
    }

    /// The longest that a generated name's beginning may be, so that the name is a label, and how many such names are tried for an
    /// object: by eight, a million of one beginning hardly ever meet. (k8s.io/apiserver/pkg/storage/names, and createWithGenerateNameRetry)
    private static let longestBase = 58
    static let attempts = 8

    static func generated(_ base: String, _ suffix: String) -> String { base.prefix(longestBase) + suffix }
}
