/// What the objects of a kind may be called.
enum NameRule: Sendable {
    case subdomain, label
    /// A label that begins with a letter.
    case dns1035
    /// No more than a step of a path: `system:node` has a colon.
    case pathSegment
    /// Anything; the kind's own validation looks.
    case free

    func complaints(_ name: String) -> [String] {
        switch self {
        case .label: Names.labelComplaints(name)
        case .dns1035: Names.dns1035Complaints(name)
        case .subdomain: Names.subdomainComplaints(name)
        case .pathSegment: Names.pathSegmentComplaints(name)
        case .free: []
        }
    }

    /// The longest that a generated name's beginning may be, so that the name is a label, and how many such names are tried for an
    /// object: by eight, a million of one beginning hardly ever meet. (k8s.io/apiserver/pkg/storage/names, and createWithGenerateNameRetry)
    private static let longestBase = 58
    static let attempts = 8

    static func generated(_ base: String, _ suffix: String) -> String { base.prefix(longestBase) + suffix }
}
