import Model

/// Fields of configuration documents that are read and have no effect: whoever sets one is told, unless it says what is so anyway.
enum UnfollowedFields {
    private static let node = ["name", "criSocket", "taints", "kubeletExtraArgs", "ignorePreflightErrors"].map { "nodeRegistration.\($0)" }
    private static let components = ["apiServer", "controllerManager", "scheduler"].flatMap { part in
        ["extraArgs", "extraVolumes", "extraEnvs"].map { "\(part).\($0)" }
    }

    /// What is gone by, with all that is below it.
    private static let followed: [String: [String]] = [
        "InitConfiguration": node + [
            "bootstrapTokens.token", "bootstrapTokens.ttl", "bootstrapTokens.usages", "bootstrapTokens.groups",
            "bootstrapTokens.description", "localAPIEndpoint", "skipPhases", "dryRun", "timeouts.controlPlaneComponentHealthCheck",
        ],
        "ClusterConfiguration": components + [
            "networking", "kubernetesVersion", "controlPlaneEndpoint", "certificatesDir", "imageRepository", "clusterName",
            "apiServer.certSANs", "apiServer.timeoutForControlPlane", "dns.imageRepository", "dns.imageTag", "dns.disabled",
            "proxy.disabled", "etcd.local.dataDir", "etcd.local.extraArgs", "etcd.local.extraEnvs", "etcd.local.imageRepository",
            "etcd.local.imageTag", "etcd.local.serverCertSANs", "etcd.local.peerCertSANs",
        ],
        "JoinConfiguration": node + [
            "caCertPath", "discovery.bootstrapToken", "discovery.tlsBootstrapToken", "discovery.timeout", "skipPhases", "dryRun",
            "timeouts.discovery", "timeouts.tlsBootstrap",
        ],
        "ResetConfiguration": [
            "certificatesDir", "cleanupTmpDir", "criSocket", "dryRun", "force", "ignorePreflightErrors", "skipPhases",
        ],
        // Its authority's file is that of the certificates, wherever these are.
        "KubeletConfiguration": ["clusterDNS", "clusterDomain", "maxPods", "registerWithTaints", "authentication.x509.clientCAFile"],
        "KubeProxyConfiguration": ["clusterCIDR"],
    ]

    /// What is so, whether somebody says it or not.
    private static let given: [String: [String: JSON]] = [
        "InitConfiguration": registration.merging(timeouts) { own, _ in own },
        "JoinConfiguration": registration.merging(timeouts) { own, _ in own }, "ResetConfiguration": timeouts,
        "ClusterConfiguration": [
            "dns.type": "CoreDNS", "encryptionAlgorithm": "RSA-2048", "certificateValidityPeriod": "8760h0m0s",
            "caCertificateValidityPeriod": "87600h0m0s", "useHyperKubeImage": false,
        ],
        "KubeletConfiguration": [
            "authentication.anonymous.enabled": false, "authentication.webhook.enabled": true, "authentication.webhook.cacheTTL": "0s",
            "authorization.mode": "Webhook",
            "authorization.webhook.cacheAuthorizedTTL": "0s", "authorization.webhook.cacheUnauthorizedTTL": "0s",
            "cgroupDriver": "systemd", "containerRuntimeEndpoint": "", "healthzBindAddress": "127.0.0.1", "healthzPort": 10248,
            "rotateCertificates": true, "staticPodPath": .string(StaticPodManifests.folder), "failSwapOn": false,
        ],
        "KubeProxyConfiguration": [
            "bindAddress": "0.0.0.0", "clientConnection.kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf", "mode": "nftables",
        ],
    ]
    private static let registration: [String: JSON] = [
        "nodeRegistration.imagePullPolicy": "IfNotPresent", "nodeRegistration.imagePullSerial": true,
    ]
    private static let timeouts: [String: JSON] = [
        "timeouts.controlPlaneComponentHealthCheck": "4m0s", "timeouts.discovery": "5m0s", "timeouts.etcdAPICall": "2m0s",
        "timeouts.kubeletHealthCheck": "4m0s", "timeouts.kubernetesAPICall": "1m0s", "timeouts.tlsBootstrap": "5m0s",
        "timeouts.upgradeManifests": "5m0s",
    ]

    /// Of one document, by their paths.
    static func paths(of document: JSON, _ kind: String) -> [String] {
        var found: [String] = []
        walk(document, kind, [], &found)
        return found
    }

    private static func walk(_ json: JSON, _ kind: String, _ path: [String], _ found: inout [String]) {
        let name = path.joined(separator: ".")
        if ["apiVersion", "kind", "metadata"].contains(name) || followed[kind]?.contains(name) ?? false { return }
        if json.isNull || json == "" || json == [] { return }
        if let object = json.object {
            for (key, value) in object { walk(value, kind, path + [key], &found) }
        } else if let items = json.array, items.contains(where: { $0.object != nil }) {
            for item in items { walk(item, kind, path, &found) }
        } else if given[kind]?[name] != json, !found.contains(name) {
            found.append(name)
        }
    }
}
