import Model
import ShimProtocol

/// Whether a node takes a pod that was assigned to it; the kubelet's last word before anything of it runs.
package struct NodeAdmission {
    package let node: Cluster.NodeSpec
    package let labels: [String: String]
    /// The pods that the node has taken before.
    package let others: [Pod]

    package init(node: Cluster.NodeSpec, labels: [String: String], others: [Pod] = []) {
        self.node = node
        self.labels = labels
        self.others = others
    }

    package struct Refusal: Sendable, Hashable {
        package let reason: String
        package let message: String
    }

    /// Sysctls that belong to a pod's namespaces and harm nobody else.
    /// (kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster, "Safe and Unsafe Sysctls")
    private static let safeSysctls: Set<String> = [
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    ]

    package func refusal(of pod: Pod) -> Refusal? {
        if let os = pod.spec["os"]["name"].string, os != "linux" {
            return Refusal(reason: "PodOSNotSupported", message: "Failed to admit pod as the OS field doesn't match node OS")
        }
        if let os = pod.spec["nodeSelector"]["kubernetes.io/os"].string, os != "linux" {
            return Refusal(
                reason: "PodOSSelectorNodeLabelDoesNotMatch",
                message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label")
        }
        guard LabelSelector(matching: pod.spec["nodeSelector"].stringMap).matches(labels) else {
            return Refusal(
                reason: "NodeAffinity", message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector")
        }
        if others.contains(where: pod.hostPortsConflict) {
            return Refusal(
                reason: "NodePorts", message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports")
        }
        for sysctl in pod.sysctls {
            guard case .sysctl(let name, _) = sysctl else { continue }
            if pod.isHostNetwork, name.hasPrefix("net.") {
                return Refusal(reason: "SysctlForbidden", message: "forbidden sysctl: \"\(name)\" not allowed with host net enabled")
            }
            if pod.spec["hostIPC"].bool == true,
                name.hasPrefix("kernel.shm") || name.hasPrefix("kernel.msg") || name == "kernel.sem" || name.hasPrefix("fs.mqueue.")
            {
                return Refusal(reason: "SysctlForbidden", message: "forbidden sysctl: \"\(name)\" not allowed with host ipc enabled")
            }
            guard Self.safeSysctls.contains(name) else {
                return Refusal(reason: "SysctlForbidden", message: "forbidden sysctl: \"\(name)\" not allowlisted")
            }
        }
        return nil
    }
}

extension Pod {
    /// Whose processes its containers are among.
    var processes: ContainerSpec.Processes {
        if spec["hostPID"].bool == true { return .node }
        return spec["shareProcessNamespace"].bool == true ? .pod : .own
    }

    /// The namespaces that are not each container's, or not the pod's.
    var sharedNamespaces: [SandboxSetting] {
        (spec["hostIPC"].bool == true ? [.nodeIPC] : []) + (processes == .pod ? [.podProcesses] : [])
    }

    /// What containerd sets in a pod's own network before the pod's own words: any user may listen on any port and send pings.
    package var standardSysctls: [SandboxSetting] {
        if isHostNetwork { return [] }
        return [
            .sysctl(name: "net.ipv4.ip_unprivileged_port_start", value: "0"),
            .sysctl(name: "net.ipv4.ping_group_range", value: "0 2147483647"),
        ]
    }

    /// The sysctls of the pod's namespaces; names with slashes are written with dots.
    package var sysctls: [SandboxSetting] {
        spec["securityContext"]["sysctls"].items.map {
            .sysctl(name: ($0["name"].string ?? "").replacing("/", with: "."), value: $0["value"].string ?? "")
        }
    }
}
