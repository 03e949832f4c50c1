import Model

/// What a namespace's labels say of its pods' security.
/// (kubernetes.io/docs/concepts/security/pod-security-admission; k8s.io/pod-security-admission/api)
package struct NamespacePodSecurity: Equatable, Sendable {
    package private(set) var enforce = PodSecurityStandard(.privileged)
    package private(set) var warn = PodSecurityStandard(.privileged)
    /// Labels whose values are none: the strictest level is taken for what cannot be read.
    package private(set) var causes: [StatusError.Cause] = []

    private static let prefix = "pod-security.kubernetes.io/"

    package init(labels: [String: String]) {
        enforce = read("enforce", labels, unreadable: .restricted)
        warn = read("warn", labels, unreadable: .privileged)
        _ = read("audit", labels, unreadable: .privileged)
        // Who enforces a level and asks for no warnings hears of the pods that controllers will not be able to make.
        if labels["\(Self.prefix)warn"] == nil, enforce.level > warn.level { warn = enforce }
    }

    private mutating func read(_ mode: String, _ labels: [String: String], unreadable: PodSecurityStandard.Level) -> PodSecurityStandard {
        var level = PodSecurityStandard.Level.privileged, minor: Int?
        if let word = labels[Self.prefix + mode] {
            if let known = PodSecurityStandard.Level(rawValue: word) {
                level = known
            } else {
                level = unreadable
                refuse(mode, word, "must be one of \(PodSecurityStandard.Level.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        if let word = labels["\(Self.prefix)\(mode)-version"], word != "latest" {
            if let match = word.wholeMatch(of: /v1\.(0|[1-9][0-9]{0,5})/), let number = Int(match.1) {
                minor = number
            } else {
                refuse("\(mode)-version", word, "must be \"latest\" or \"v1.x\"")
            }
        }
        return PodSecurityStandard(level, minor: minor)
    }

    private mutating func refuse(_ label: String, _ value: String, _ detail: String) {
        causes.append(.invalid("metadata.labels[\(Self.prefix)\(label)]", .string(value), detail))
    }
}
