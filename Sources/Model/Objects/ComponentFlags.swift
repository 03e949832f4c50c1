/// Flags of Kubernetes' components where minik does their work: those that it goes by, and those that say what it is anyway.
package enum ComponentFlags {
    private static let followed: [String: Set<String>] = [
        "kube-apiserver": [
            "client-ca-file", "tls-cert-file", "tls-private-key-file", "service-account-signing-key-file", "service-account-issuer",
            "secure-port", "service-cluster-ip-range", "service-node-port-range", "enable-bootstrap-token-auth",
        ],
        "kube-controller-manager": [
            "service-account-private-key-file", "cluster-signing-cert-file", "cluster-signing-key-file", "cluster-cidr",
            "allocate-node-cidrs", "node-cidr-mask-size", "node-cidr-mask-size-ipv4", "controllers",
        ],
        "etcd": ["data-dir"],
        "kubelet": ["node-labels", "register-with-taints", "max-pods", "cluster-dns", "cluster-domain"],
    ]

    /// Their values where these are what matters, "" for any: as kubeadm writes them.
    private static let given: [String: [String: String]] = [
        "kube-apiserver": [
            "allow-privileged": "true", "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction",
            "insecure-port": "0", "anonymous-auth": "true", "advertise-address": "", "service-account-key-file": "",
            "etcd-cafile": "", "etcd-certfile": "", "etcd-keyfile": "", "etcd-servers": "", "kubelet-client-certificate": "",
            "kubelet-client-key": "", "kubelet-preferred-address-types": "", "proxy-client-cert-file": "", "proxy-client-key-file": "",
            "requestheader-allowed-names": "", "requestheader-client-ca-file": "", "requestheader-extra-headers-prefix": "",
            "requestheader-group-headers": "", "requestheader-username-headers": "",
        ],
        "kube-controller-manager": [
            "authentication-kubeconfig": "", "authorization-kubeconfig": "", "kubeconfig": "", "bind-address": "127.0.0.1",
            "client-ca-file": "", "cluster-name": "", "leader-elect": "true", "port": "0", "secure-port": "10257",
            "requestheader-client-ca-file": "", "root-ca-file": "", "service-cluster-ip-range": "",
            "use-service-account-credentials": "true",
        ],
        "kube-scheduler": [
            "authentication-kubeconfig": "", "authorization-kubeconfig": "", "kubeconfig": "", "bind-address": "127.0.0.1",
            "leader-elect": "true", "port": "0", "secure-port": "10259",
        ],
        "etcd": [
            "advertise-client-urls": "", "cert-file": "", "client-cert-auth": "true", "feature-gates": "InitialCorruptCheck=true",
            "experimental-initial-corrupt-check": "true", "initial-advertise-peer-urls": "", "initial-cluster": "", "key-file": "",
            "listen-client-urls": "", "listen-metrics-urls": "", "listen-peer-urls": "", "name": "", "peer-cert-file": "",
            "peer-client-cert-auth": "true", "peer-key-file": "", "peer-trusted-ca-file": "", "snapshot-count": "",
            "trusted-ca-file": "", "watch-progress-notify-interval": "", "experimental-watch-progress-notify-interval": "",
        ],
        "kube-proxy": ["config": "", "hostname-override": ""],
        "kubelet": [
            "container-runtime": "remote", "container-runtime-endpoint": "", "pod-infra-container-image": "", "network-plugin": "cni",
            "hostname-override": "", "cgroup-driver": "",
        ],
    ]

    /// `--name=value`, a flag without a value is a switch that is on; the last of a name holds.
    package static func read(_ words: some Sequence<String>) -> [String: String] {
        var flags: [String: String] = [:]
        for word in words where word.hasPrefix("--") {
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            flags[parts[0]] = parts.count > 1 ? parts[1] : "true"
        }
        return flags
    }

    /// Those that say something that minik does not do, sorted.
    package static func unfollowed(_ flags: [String: String], of component: String) -> [String] {
        flags.filter { name, value in
            if followed[component]?.contains(name) ?? false { return false }
            guard let wanted = given[component]?[name] else { return true }
            return !wanted.isEmpty && wanted != value
        }.map { "--\($0.key)=\($0.value)" }.sorted()
    }
}
