import API
import Model
import Runtime

/// What every cluster holds before anyone asks for anything.
struct Bootstrap {
    let cluster: Cluster
    let paths: ClusterPaths
    let client: any Client

    func namespaces(_ api: APIServer) async throws {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            try await ensure(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
            try await api.furnish(name)
        }
        for (name, value, words) in [
            (
                "system-cluster-critical", 2_000_000_000,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
            ),
            ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
        ] {
            try await ensure(
                .priorityClasses,
                [
                    "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": .string(name)],
                    "value": .int(value),
                    "description": .string(words),
                ])
        }
        try await ensure(
            .serviceCIDRs,
            [
                "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": ["name": "kubernetes"],
                "spec": ["cidrs": [.string(cluster.serviceSubnet.description)]],
            ])
        for (resource, object) in BootstrapPolicy.objects { try await reconcile(resource, object, api) }
    }

    /// Makes a role or binding what it should be at each start, as Kubernetes does, unless its annotation says that it is somebody's own.
    private func reconcile(_ resource: Resource, _ object: JSON, _ api: APIServer) async throws {
        let metadata = object["metadata"]
        let key = ObjectKey(metadata["namespace"].string ?? "", metadata["name"].string ?? "")
        guard var held = await api.store.get(resource, key) else { return try await ensure(resource, object) }
        let mark = held["metadata"]["annotations"][BootstrapPolicy.autoupdate].string
        if mark == "false" { return }
        for field in ["labels", "annotations"] {
            for (name, value) in metadata[field].stringMap { held["metadata"][field][name] = .string(value) }
        }
        if !object["aggregationRule"].isNull { held["aggregationRule"] = object["aggregationRule"] }
        for field in ["rules", "subjects"] where !object[field].isNull {
            // Without the mark it is of a minik whose roles were wider than Kubernetes'; with it, what an administrator added stays.
            let kept = mark == nil ? [] : held[field].items.filter { !object[field].items.contains($0) }
            held[field] = .array(object[field].items + kept)
        }
        _ = try await client.update(resource, held)
    }

    /// The cluster's DNS: a pod behind the Service at the tenth address.
    func addOns() async throws {
        let labels: JSON = ["k8s-app": "kube-dns"]
        try await ensure(
            .services,
            [
                "apiVersion": "v1", "kind": "Service",
                "metadata": [
                    "name": "kube-dns", "namespace": "kube-system",
                    "labels": ["k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"],
                ],
                "spec": [
                    "clusterIP": .string(cluster.dnsServiceIP.description), "selector": labels,
                    "ports": [["name": "dns", "protocol": "UDP", "port": 53], ["name": "dns-tcp", "protocol": "TCP", "port": 53]],
                ],
            ])
        try await ensure(
            .deployments,
            [
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": ["name": "coredns", "namespace": "kube-system", "labels": labels],
                "spec": [
                    "replicas": 1, "selector": ["matchLabels": labels],
                    "template": [
                        "metadata": ["labels": labels],
                        "spec": [
                            "tolerations": [
                                ["key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"]
                            ],
                            "dnsPolicy": "Default",
                            "containers": [
                                [
                                    "name": "coredns", "image": .string(Image.dns), "args": ["/etc/minik-dns/records.json"],
                                    "imagePullPolicy": "IfNotPresent",
                                    "ports": [
                                        ["name": "dns", "containerPort": 53, "protocol": "UDP"],
                                        ["name": "dns-tcp", "containerPort": 53, "protocol": "TCP"],
                                    ],
                                    "volumeMounts": [["name": "records", "mountPath": "/etc/minik-dns", "readOnly": true]],
                                    "securityContext": [
                                        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                        "capabilities": ["drop": ["ALL"], "add": ["NET_BIND_SERVICE"]],
                                    ],
                                ]
                            ],
                            "volumes": [["name": "records", "hostPath": ["path": .string(paths.dnsRecords)]]],
                        ],
                    ],
                ],
            ])
    }

    private func ensure(_ resource: Resource, _ object: JSON) async throws {
        do { _ = try await client.create(resource, object) } catch let error as StatusError where error.reason == .alreadyExists {}
    }
}
