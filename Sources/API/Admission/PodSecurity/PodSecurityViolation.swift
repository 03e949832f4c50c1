import Model

/// What of a pod its namespace's standard does not allow, in the words of the real admission.
package struct PodSecurityViolation: Equatable, Sendable, CustomStringConvertible {
    package let reason: String
    package let detail: String

    init(_ reason: String, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }

    package var description: String { "\(reason) (\(detail))" }

    /// All of them, in the order of the checks' names, those of baseline first. A restricted check that looks at the same as one of
    /// baseline stands for both. (k8s.io/pod-security-admission/policy)
    package static func all(in pod: JSON, against standard: PodSecurityStandard) -> [Self] {
        guard standard.level > .privileged else { return [] }
        let subject = PodSecuritySubject(pod), isRestricted = standard.level == .restricted
        let overridesCapabilities = isRestricted && standard.isSince(22), overridesSeccomp = isRestricted && standard.isSince(19)
        var found = [
            subject.appArmor(), overridesCapabilities ? nil : subject.addedCapabilities(), subject.hostNamespaces(),
            isRestricted ? nil : subject.hostPaths(), subject.hostPorts(), standard.isSince(34) ? subject.handlerHosts() : nil,
            subject.privileged(), subject.procMount(), subject.seLinux(standard),
            overridesSeccomp || !standard.isSince(19) ? nil : subject.forbiddenSeccomp(), subject.sysctls(standard), subject.hostProcess(),
        ]
        if isRestricted {
            // Windows knows none of what these ask for.
            let isExempt = subject.isWindows && standard.isSince(25)
            found += [
                standard.isSince(8) && !isExempt ? subject.privilegeEscalation() : nil,
                overridesCapabilities && !isExempt ? subject.keptCapabilities() : nil, subject.volumes(), subject.runAsNonRoot(),
                standard.isSince(23) ? subject.runAsRoot() : nil, overridesSeccomp && !isExempt ? subject.missingSeccomp() : nil,
            ]
        }
        return found.compactMap { $0 }
    }
}
