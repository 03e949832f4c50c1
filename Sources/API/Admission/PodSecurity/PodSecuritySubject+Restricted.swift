import Model

/// What a pod must say of itself where hardening is asked for. (kubernetes.io/docs/concepts/security/pod-security-standards, restricted)
extension PodSecuritySubject {
    func privilegeEscalation() -> PodSecurityViolation? {
        let names = names { $1["allowPrivilegeEscalation"].bool != false }
        return names.isEmpty
            ? nil
            : PodSecurityViolation(
                "allowPrivilegeEscalation != false", "\(Self.containers(names)) must set securityContext.allowPrivilegeEscalation=false")
    }

    func keptCapabilities() -> PodSecurityViolation? {
        func added(_ context: JSON) -> [String] {
            context["capabilities"]["add"].items.compactMap(\.string).filter { $0 != "NET_BIND_SERVICE" }
        }
        let keeping = names { !$1["capabilities"]["drop"].items.contains("ALL") }, adding = names { !added($1).isEmpty }
        var details = keeping.isEmpty ? [] : ["\(Self.containers(keeping)) must set securityContext.capabilities.drop=[\"ALL\"]"]
        if !adding.isEmpty {
            let values = Self.sorted(containers.flatMap { added($0["securityContext"]) })
            details.append("\(Self.containers(adding)) must not include \(Self.quoted(values)) in securityContext.capabilities.add")
        }
        return details.isEmpty ? nil : PodSecurityViolation("unrestricted capabilities", details.joined(separator: "; "))
    }

    private static let allowedVolumes = [
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
    ]
    private static let knownVolumes = [
        "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume", "cinder",
        "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume",
        "scaleIO", "storageos",
    ]

    func volumes() -> PodSecurityViolation? {
        let forbidden = spec["volumes"].items.filter { volume in !Self.allowedVolumes.contains { !volume[$0].isNull } }
        guard !forbidden.isEmpty else { return nil }
        let names = forbidden.map { $0["name"].string ?? "" }
        let types = Self.sorted(forbidden.map { volume in Self.knownVolumes.first { !volume[$0].isNull } ?? "unknown" })
        return PodSecurityViolation(
            "restricted volume types",
            "\(Self.plural("volume", names)) \(Self.quoted(names)) \(names.count == 1 ? "uses" : "use") "
                + "\(Self.plural("restricted volume type", types)) \(Self.quoted(types))")
    }

    func runAsNonRoot() -> PodSecurityViolation? {
        let reason = "runAsNonRoot != true", ofPod = context["runAsNonRoot"].bool
        let setters = setters(pod: ofPod == false, names { $1["runAsNonRoot"].bool == false })
        if !setters.isEmpty { return PodSecurityViolation(reason, "\(setters) must not set securityContext.runAsNonRoot=false") }
        let silent = names { $1["runAsNonRoot"].bool == nil && ofPod != true }
        return silent.isEmpty
            ? nil : PodSecurityViolation(reason, "pod or \(Self.containers(silent)) must set securityContext.runAsNonRoot=true")
    }

    func runAsRoot() -> PodSecurityViolation? {
        let setters = setters(pod: context["runAsUser"].int == 0, names { $1["runAsUser"].int == 0 })
        return setters.isEmpty ? nil : PodSecurityViolation("runAsUser=0", "\(setters) must not set runAsUser=0")
    }

    func missingSeccomp() -> PodSecurityViolation? {
        if let forbidden = forbiddenSeccomp() { return forbidden }
        let silent = names { $1["seccompProfile"].isNull && context["seccompProfile"].isNull }
        return silent.isEmpty
            ? nil
            : PodSecurityViolation(
                "seccompProfile",
                "pod or \(Self.containers(silent)) must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"")
    }
}
