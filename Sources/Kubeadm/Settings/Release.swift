import Model

/// A release of Kubernetes as kubeadm of that release knows it: which images there are, and how it speaks.
///
/// Two were observed, 1.20 and 1.36; those before 1.24, which took the old names of the control plane away, speak as the first.
package struct Release: Sendable, Hashable {
    package let version: KubernetesVersion

    package init(_ version: KubernetesVersion) { self.version = version }

    package var isOld: Bool { version < KubernetesVersion(1, 24) }

    package var registry: String { version < KubernetesVersion(1, 25) ? "k8s.gcr.io" : "registry.k8s.io" }

    /// The tags of pause, etcd and CoreDNS by minor version. (k8s.io/kubernetes/cmd/kubeadm/app/constants, constants.go)
    private static let tags: [Int: (pause: String, etcd: String, coredns: String)] = [
        16: ("3.1", "3.3.15-0", "1.6.2"), 17: ("3.1", "3.4.3-0", "1.6.5"), 18: ("3.2", "3.4.3-0", "1.6.7"),
        19: ("3.2", "3.4.13-0", "1.7.0"), 20: ("3.2", "3.4.13-0", "1.7.0"), 21: ("3.4.1", "3.4.13-0", "v1.8.0"),
        22: ("3.5", "3.5.0-0", "v1.8.4"), 23: ("3.6", "3.5.1-0", "v1.8.6"), 24: ("3.7", "3.5.3-0", "v1.8.6"),
        25: ("3.8", "3.5.4-0", "v1.9.3"), 26: ("3.9", "3.5.6-0", "v1.9.3"), 27: ("3.9", "3.5.7-0", "v1.10.1"),
        28: ("3.9", "3.5.9-0", "v1.10.1"), 29: ("3.9", "3.5.10-0", "v1.11.1"), 30: ("3.9", "3.5.12-0", "v1.11.1"),
        31: ("3.10", "3.5.15-0", "v1.11.1"), 32: ("3.10", "3.5.16-0", "v1.11.3"), 33: ("3.10", "3.5.21-0", "v1.12.0"),
        34: ("3.10.1", "3.6.4-0", "v1.12.1"), 35: ("3.10.1", "3.6.6-0", "v1.13.1"), 36: ("3.10.2", "3.6.8-0", "v1.14.2"),
    ]
    private var own: (pause: String, etcd: String, coredns: String) {
        Self.tags[min(max(version.minor, KubernetesVersion.oldest.minor), KubernetesVersion.current.minor)] ?? ("3.2", "3.4.13-0", "1.7.0")
    }

    package static let components = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"]

    package func image(_ component: String, in repository: String) -> String { "\(repository)/\(component):\(version)" }
    package func etcd(in repository: String, tag: String? = nil) -> String { "\(repository)/etcd:\(tag ?? own.etcd)" }

    /// In the project's own registry it lies a level deeper since 1.21.
    package func coredns(in repository: String, tag: String? = nil) -> String {
        let isDeep = version >= KubernetesVersion(1, 21) && repository == registry
        return "\(repository)/\(isDeep ? "coredns/" : "")coredns:\(tag ?? own.coredns)"
    }

    /// In the order in which kubeadm lists them.
    func images(in repository: String, etcd: String, coreDNS: String) -> [String] {
        let pause = "\(repository)/pause:\(own.pause)", four = Self.components.map { image($0, in: repository) }
        return four + (version < KubernetesVersion(1, 22) ? [pause, etcd, coreDNS] : [coreDNS, pause, etcd])
    }

    /// The label that makes a node one of the control plane, and the taint that keeps pods away from it.
    package var roleLabels: [String] {
        isOld
            ? ["node-role.kubernetes.io/master"] + (version.minor >= 20 ? ["node-role.kubernetes.io/control-plane"] : [])
            : ["node-role.kubernetes.io/control-plane", "node.kubernetes.io/exclude-from-external-load-balancers"]
    }
    package var taint: String { isOld ? "node-role.kubernetes.io/master" : "node-role.kubernetes.io/control-plane" }

    package var kubeletConfigMap: String { isOld ? "kubelet-config-\(version.major).\(version.minor)" : "kubelet-config" }
    package var adminGroup: String { isOld ? "system:masters" : "kubeadm:cluster-admins" }
    package var apiVersion: String {
        isOld ? "kubeadm.k8s.io/v1beta2" : version.minor < 31 ? "kubeadm.k8s.io/v1beta3" : "kubeadm.k8s.io/v1beta4"
    }
    /// Versions of the configuration's documents that it reads, the last its own.
    package var readVersions: [String] {
        (isOld ? ["v1beta1", "v1beta2"] : version.minor < 31 ? ["v1beta2", "v1beta3"] : ["v1beta3", "v1beta4"]).map {
            "kubeadm.k8s.io/\($0)"
        }
    }
    package var criSocket: String { isOld ? "/var/run/dockershim.sock" : "unix:///var/run/containerd/containerd.sock" }
}
