import API
import Model

/// What a cluster cannot do without: names and Services. (k8s.io/kubernetes/cmd/kubeadm/app/phases/addons)
struct AddOnObjects {
    private static let system = ClusterObjects.system, rbac = "rbac.authorization.k8s.io"

    let settings: ClusterSettings
    /// Where minik's server of names finds the cluster's records, on every node.
    let records: String
    private var release: Release { settings.release }

    // MARK: CoreDNS

    private var corefile: String {
        let cache =
            release.isOld
            ? "    cache 30\n"
            : """
                cache 30 {
                   disable success \(settings.domain)
                   disable denial \(settings.domain)
                }

            """
        return """
            .:53 {
                errors
                health {
                   lameduck 5s
                }
                ready
                kubernetes \(settings.domain) in-addr.arpa ip6.arpa {
                   pods insecure
                   fallthrough in-addr.arpa ip6.arpa
                   ttl 30
                }
                prometheus :9153
                forward . /etc/resolv.conf {
                   max_concurrent 1000
                }
            \(cache)    loop
                reload
                loadbalance
            }

            """
    }

    private static let dns: JSON = ["k8s-app": "kube-dns"]

    var coreDNS: [ClusterObject] {
        let slices: JSON = ["apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]]
        let nodes: JSON = ["apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]]
        return [
            .named(.configMaps, "coredns", in: Self.system, ["data": ["Corefile": .string(corefile)]]),
            .named(
                .clusterRoles, "system:coredns", in: nil,
                [
                    "rules": [
                        ["apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]],
                        release.isOld ? nodes : slices,
                    ]
                ]),
            bound("system:coredns", "system:coredns", account: "coredns"),
            .named(.serviceAccounts, "coredns", in: Self.system),
            .named(.deployments, "coredns", in: Self.system, coreDNSDeployment),
            .named(
                .services, "kube-dns", in: Self.system,
                [
                    "metadata": [
                        "labels": ["k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"],
                        "annotations": ["prometheus.io/port": "9153", "prometheus.io/scrape": "true"],
                    ],
                    "spec": [
                        "clusterIP": .string(settings.dnsAddress), "selector": Self.dns,
                        "ports": [
                            ["name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53],
                            ["name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53],
                            ["name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153],
                        ],
                    ],
                ]),
        ]
    }

    private var coreDNSDeployment: JSON {
        [
            "metadata": ["labels": Self.dns],
            "spec": [
                "replicas": 2, "selector": ["matchLabels": Self.dns],
                "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": 1]],
                "template": ["metadata": ["labels": Self.dns], "spec": coreDNSPod],
            ],
        ]
    }

    private var coreDNSPod: JSON {
        let preferred: JSON = [
            "podAntiAffinity": [
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    [
                        "weight": 100,
                        "podAffinityTerm": [
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": ["matchExpressions": [["key": "k8s-app", "operator": "In", "values": ["kube-dns"]]]],
                        ],
                    ]
                ]
            ]
        ]
        return [
            "priorityClassName": "system-cluster-critical", "serviceAccountName": "coredns", "dnsPolicy": "Default",
            "nodeSelector": ["kubernetes.io/os": "linux"], "affinity": release.isOld ? .null : preferred,
            "tolerations": .array(
                [["key": "CriticalAddonsOnly", "operator": "Exists"]]
                    + tolerated.map { ["key": .string($0), "effect": "NoSchedule"] }),
            "containers": [
                [
                    "name": "coredns", "image": .string(settings.coreDNSImageName), "imagePullPolicy": "IfNotPresent",
                    "args": ["-conf", "/etc/coredns/Corefile"],
                    "resources": ["limits": ["memory": "170Mi"], "requests": ["cpu": "100m", "memory": "70Mi"]],
                    "ports": [
                        ["name": "dns", "containerPort": 53, "protocol": "UDP"],
                        ["name": "dns-tcp", "containerPort": 53, "protocol": "TCP"],
                        ["name": "metrics", "containerPort": 9153, "protocol": "TCP"],
                    ],
                    "volumeMounts": [
                        ["name": "config-volume", "mountPath": "/etc/coredns", "readOnly": true],
                        ["name": "records", "mountPath": "/etc/minik-dns", "readOnly": true],
                    ],
                    "securityContext": [
                        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                        "capabilities": ["drop": ["all"], "add": ["NET_BIND_SERVICE"]],
                    ],
                ]
            ],
            "volumes": [
                ["name": "config-volume", "configMap": ["name": "coredns", "items": [["key": "Corefile", "path": "Corefile"]]]],
                ["name": "records", "hostPath": ["path": .string(records)]],
            ],
        ]
    }

    private var tolerated: [String] { release.isOld ? [release.taint, "node-role.kubernetes.io/control-plane"] : [release.taint] }

    private func bound(_ name: String, _ role: String, account: String) -> ClusterObject {
        .named(
            .clusterRoleBindings, name, in: nil,
            [
                "roleRef": ["apiGroup": .string(Self.rbac), "kind": "ClusterRole", "name": .string(role)],
                "subjects": [["kind": "ServiceAccount", "name": .string(account), "namespace": .string(Self.system)]],
            ])
    }

    // MARK: kube-proxy

    private static let proxy: JSON = ["k8s-app": "kube-proxy"]

    private var proxyConfiguration: String {
        let own: JSON = [
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "bindAddress": "0.0.0.0",
            "clientConnection": ["kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf"], "clusterCIDR": .string(settings.podSubnet),
            "mode": "",
        ]
        return YAMLText.of(KubeletFiles.merged(own, settings.proxy))
    }

    private var proxyKubeconfig: String {
        let files = "/var/run/secrets/kubernetes.io/serviceaccount"
        return YAMLText.of([
            "apiVersion": "v1", "kind": "Config", "current-context": "default",
            "clusters": [
                ["name": "default", "cluster": ["certificate-authority": "\(files)/ca.crt", "server": .string(settings.server)]]
            ],
            "contexts": [["name": "default", "context": ["cluster": "default", "namespace": "default", "user": "default"]]],
            "users": [["name": "default", "user": ["tokenFile": "\(files)/token"]]],
        ])
    }

    var kubeProxy: [ClusterObject] {
        [
            .named(
                .configMaps, "kube-proxy", in: Self.system,
                [
                    "metadata": ["labels": ["app": "kube-proxy"]],
                    "data": ["config.conf": .string(proxyConfiguration), "kubeconfig.conf": .string(proxyKubeconfig)],
                ]),
            .named(.serviceAccounts, "kube-proxy", in: Self.system),
            bound("kubeadm:node-proxier", "system:node-proxier", account: "kube-proxy"),
            .named(
                .roles, "kube-proxy", in: Self.system,
                [
                    "rules": [["apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["kube-proxy"], "verbs": ["get"]]]
                ]),
            .named(
                .roleBindings, "kube-proxy", in: Self.system,
                [
                    "roleRef": ["apiGroup": .string(Self.rbac), "kind": "Role", "name": "kube-proxy"],
                    "subjects": [["apiGroup": .string(Self.rbac), "kind": "Group", "name": .string(ClusterObjects.tokenGroup)]],
                ]),
            .named(.daemonSets, "kube-proxy", in: Self.system, proxyDaemonSet),
        ]
    }

    private var proxyDaemonSet: JSON {
        [
            "metadata": ["labels": Self.proxy],
            "spec": [
                "selector": ["matchLabels": Self.proxy], "updateStrategy": ["type": "RollingUpdate"],
                "template": ["metadata": ["labels": Self.proxy], "spec": proxyPod],
            ],
        ]
    }

    private var proxyPod: JSON {
        [
            "priorityClassName": "system-node-critical", "serviceAccountName": "kube-proxy", "hostNetwork": true,
            "nodeSelector": ["kubernetes.io/os": "linux"],
            "tolerations": .array(
                (release.isOld ? [["key": "CriticalAddonsOnly", "operator": "Exists"]] : []) + [["operator": "Exists"]]),
            "containers": [
                [
                    "name": "kube-proxy", "image": .string(release.image("kube-proxy", in: settings.repository)),
                    "imagePullPolicy": "IfNotPresent",
                    "command": [
                        "/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)",
                    ],
                    "env": [["name": "NODE_NAME", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]]],
                    "securityContext": ["privileged": true],
                    "volumeMounts": [
                        ["name": "kube-proxy", "mountPath": "/var/lib/kube-proxy"],
                        ["name": "xtables-lock", "mountPath": "/run/xtables.lock"],
                        ["name": "lib-modules", "mountPath": "/lib/modules", "readOnly": true],
                    ],
                ]
            ],
            "volumes": [
                ["name": "kube-proxy", "configMap": ["name": "kube-proxy"]],
                ["name": "xtables-lock", "hostPath": ["path": "/run/xtables.lock", "type": "FileOrCreate"]],
                ["name": "lib-modules", "hostPath": ["path": "/lib/modules", "type": ""]],
            ],
        ]
    }
}
