/// Phases that are left out, and those of each command, in the order of the release. One that has parts is left out with all of them, or
/// by some of them. (k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/workflow, runner.go)
struct SkippedPhases {
    /// What has phases.
    enum Work { case initialize, join, reset }

    private let names: Set<String>

    /// `own`: those of a configuration file, which flags take the place of.
    init(_ arguments: Arguments, of work: Work, _ release: Release, own: [String] = []) throws(KubeadmError) {
        let wanted = arguments.lists["skip-phases"] ?? own, known = Self.names(of: work, release)
        for name in wanted where !known.contains(name) { throw KubeadmError("invalid phase name: \(name)") }
        names = Set(wanted)
    }

    func has(_ name: String) -> Bool {
        names.contains(name) || names.contains(String(name.prefix { $0 != "/" }))
    }

    static func names(of work: Work, _ release: Release) -> [String] {
        switch work {
        case .initialize: ofInit(release)
        case .join: ofJoin(release)
        case .reset: ofReset(release)
        }
    }

    private static func ofInit(_ release: Release) -> [String] {
        let certificates = phases("certs", CertificatePlan(settings: ClusterSettings(release)).entries.map(\.phase) + ["sa"])
        let kubeconfigs = phases(
            "kubeconfig", ["admin"] + (release.isOld ? [] : ["super-admin"]) + ["kubelet", "controller-manager", "scheduler"])
        let plane = phases("control-plane", ["apiserver", "controller-manager", "scheduler"]), etcd = phases("etcd", ["local"])
        return ["preflight"] + certificates + kubeconfigs
            + (release.isOld ? ["kubelet-start"] + plane + etcd : etcd + plane + ["kubelet-start"])
            + ["wait-control-plane"] + phases("upload-config", ["kubeadm", "kubelet"])
            + ["upload-certs", "mark-control-plane", "bootstrap-token"]
            + phases("kubelet-finalize", [release.isOld ? "experimental-cert-rotation" : "enable-client-cert-rotation"])
            + phases("addon", ["coredns", "kube-proxy"]) + (release.isOld ? [] : ["show-join-command"])
    }

    private static func ofJoin(_ release: Release) -> [String] {
        let plane = phases("control-plane-prepare", ["download-certs", "certs", "kubeconfig", "control-plane"])
        let last = phases(
            "control-plane-join", ["etcd", release.isOld ? "update-status" : "", "mark-control-plane"].filter { !$0.isEmpty })
        return ["preflight"] + plane + ["check-etcd", "kubelet-start"]
            + (release.isOld ? last : ["etcd-join", "kubelet-wait-bootstrap"] + last + ["wait-control-plane"])
    }

    private static func ofReset(_ release: Release) -> [String] {
        ["preflight"] + (release.isOld ? ["update-cluster-status"] : []) + ["remove-etcd-member", "cleanup-node"]
    }

    private static func phases(_ name: String, _ parts: [String]) -> [String] { [name] + parts.map { "\(name)/\($0)" } }
}
