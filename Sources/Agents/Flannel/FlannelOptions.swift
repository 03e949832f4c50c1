/// What flanneld is told by its options and by FLANNELD_ variables. (flannel-io/flannel Documentation/configuration.md)
package struct FlannelOptions: Sendable {
    package let isMasqueraded: Bool
    package let asksKubernetes: Bool
    /// Links or addresses to go by, the first that is there.
    package let links: [String]
    package let patterns: [String]
    package let publicAddress: String?
    package let publicAddress6: String?
    package let subnetFile: String
    package let configuration: String
    package let annotationPrefix: String
    /// Whether the Node is to say that its network is there.
    package let setsCondition: Bool
    package let wantsVersion: Bool
    /// What is asked for and not done here.
    package let unknown: [String]

    private static let undone = ["iface-can-reach", "healthz-port", "kubeconfig-file", "kube-api-url"]
    private static let forms: [String: GoFlags.Form] = [
        "ip-masq": .toggle, "kube-subnet-mgr": .toggle, "iface": .list, "iface-regex": .list, "iface-can-reach": .text, "public-ip": .text,
        "public-ipv6": .text, "subnet-file": .text, "net-config-path": .text, "kube-annotation-prefix": .text, "kubeconfig-file": .text,
        "kube-api-url": .text, "set-node-network-unavailable": .toggle, "healthz-ip": .text, "healthz-port": .text, "version": .toggle,
        "iptables-resync": .text, "iptables-forward-rules": .toggle, "subnet-lease-renew-margin": .text, "v": .text, "vmodule": .text,
        "alsologtostderr": .toggle, "logtostderr": .toggle, "etcd-endpoints": .text, "etcd-prefix": .text, "etcd-keyfile": .text,
        "etcd-certfile": .text, "etcd-cafile": .text, "etcd-username": .text, "etcd-password": .text, "charon-executable-path": .text,
        "charon-viciuri": .text, "blackhole-route": .toggle,
    ]

    package init(_ call: ProgramCall) throws(GoFlags.Misuse) {
        var flags = try GoFlags(Self.forms, arguments: call.arguments)
        try flags.take(from: call.environment, prefix: "FLANNELD")
        isMasqueraded = flags.isOn("ip-masq")
        asksKubernetes = flags.isOn("kube-subnet-mgr")
        links = flags.list("iface")
        patterns = flags.list("iface-regex")
        publicAddress = flags.text("public-ip")
        publicAddress6 = flags.text("public-ipv6")
        subnetFile = flags.text("subnet-file") ?? "/run/flannel/subnet.env"
        configuration = flags.text("net-config-path") ?? "/etc/kube-flannel/net-conf.json"
        annotationPrefix = flags.text("kube-annotation-prefix") ?? "flannel.alpha.coreos.com"
        setsCondition = flags.isOn("set-node-network-unavailable", otherwise: true)
        wantsVersion = flags.isOn("version")
        unknown = Self.undone.filter { flags.text($0) != nil && flags.text($0) != "0" }
    }
}
