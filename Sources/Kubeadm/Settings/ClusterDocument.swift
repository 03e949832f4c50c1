import API
import Model

/// The documents of kubeadm.k8s.io, written.
enum ClusterDocument {
    /// `uploaded`: as it is kept in the cluster, with what was filled in.
    static func of(_ settings: ClusterSettings, uploaded: Bool) -> JSON {
        let release = settings.release, isList = hasLists(release)
        func arguments(_ component: String, _ own: [String: String] = [:]) -> JSON {
            Self.arguments(own.merging(settings.extraArguments[component] ?? [:]) { $1 }, release)
        }
        func part(_ json: JSON) -> JSON { json.isNull ? .emptyObject : json }
        var server: JSON = [
            "extraArgs": arguments("kube-apiserver", release.isOld && uploaded ? ["authorization-mode": "Node,RBAC"] : [:]),
            "certSANs": settings.extraNames.isEmpty ? .null : .array(settings.extraNames.map(JSON.string)),
        ]
        if !isList { server["timeoutForControlPlane"] = "4m0s" }
        var document: JSON = [
            "apiVersion": .string(release.apiVersion), "kind": "ClusterConfiguration", "apiServer": part(server),
            "certificatesDir": .string(settings.certificatesFolder), "clusterName": .string(settings.clusterName),
            "controlPlaneEndpoint": settings.endpoint.isEmpty ? .null : .string(settings.endpoint),
            "controllerManager": part(["extraArgs": arguments("kube-controller-manager")]),
            "dns": release.isOld ? ["type": "CoreDNS"] : .emptyObject,
            "etcd": ["local": ["dataDir": .string(settings.etcdFolder), "extraArgs": arguments("etcd")]],
            "imageRepository": .string(settings.repository), "kubernetesVersion": .string("\(release.version)"),
            "networking": [
                "dnsDomain": .string(settings.domain), "podSubnet": settings.podSubnet.isEmpty ? .null : .string(settings.podSubnet),
                "serviceSubnet": .string(settings.serviceSubnet),
            ],
            "scheduler": part(["extraArgs": arguments("kube-scheduler")]),
        ]
        if isList {
            document["caCertificateValidityPeriod"] = "87600h0m0s"
            document["certificateValidityPeriod"] = "8760h0m0s"
            document["encryptionAlgorithm"] = "RSA-2048"
            document["proxy"] = .emptyObject
        }
        return whole(settings.source.cluster, document, release)
    }

    private static func hasLists(_ release: Release) -> Bool { release.apiVersion.hasSuffix("v1beta4") }

    /// A list since v1beta4, a map before.
    private static func arguments(_ all: [String: String], _ release: Release) -> JSON {
        guard !all.isEmpty else { return .null }
        return hasLists(release)
            ? .array(all.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "value": .string($0.value)] }) : JSON(all)
    }

    /// With what else a file had said, without fields that newer versions have elsewhere.
    private static func whole(_ source: JSON, _ document: JSON, _ release: Release) -> JSON {
        var whole = KubeletFiles.merged(source, document)
        if hasLists(release) {
            whole["apiServer"]["timeoutForControlPlane"] = .null
            whole["useHyperKubeImage"] = .null
            whole["dns"]["type"] = .null
        }
        return whole
    }

    static let timeouts: JSON = [
        "controlPlaneComponentHealthCheck": "4m0s", "discovery": "5m0s", "etcdAPICall": "2m0s", "kubeletHealthCheck": "4m0s",
        "kubernetesAPICall": "1m0s", "tlsBootstrap": "5m0s", "upgradeManifests": "5m0s",
    ]

    /// An InitConfiguration, all in it that is not said filled in.
    static func initial(_ settings: ClusterSettings) -> JSON {
        let release = settings.release
        var registration: JSON = [
            "criSocket": .string(settings.criSocket), "name": .string(settings.nodeName),
            "kubeletExtraArgs": arguments(settings.node.kubeletArguments, release),
        ]
        if let taints = settings.node.taints { registration["taints"] = .array(taints) }
        if release.isOld {
            registration["taints"] = .array(settings.node.taints ?? [["key": .string(release.taint), "effect": "NoSchedule"]])
        } else {
            registration["imagePullPolicy"] = "IfNotPresent"
            registration["imagePullSerial"] = true
        }
        var document: JSON = [
            "apiVersion": .string(release.apiVersion), "kind": "InitConfiguration", "bootstrapTokens": .array(settings.tokens.map(token)),
            "localAPIEndpoint": ["advertiseAddress": .string(settings.advertiseAddress), "bindPort": .int(settings.bindPort)],
            "nodeRegistration": registration,
        ]
        if hasLists(release) {
            document["timeouts"] = KubeletFiles.merged(timeouts, settings.source.initial["timeouts"])
            document["timeouts"]["controlPlaneComponentHealthCheck"] = .string(Duration.seconds(settings.patience).goText)
        }
        return KubeletFiles.merged(settings.source.initial, document)
    }

    private static func token(_ wanted: ClusterSettings.WantedToken) -> JSON {
        [
            "groups": .array(wanted.groups.map(JSON.string)), "token": .string((wanted.token ?? .random()).text),
            "ttl": .string(Duration.seconds(wanted.life).goText),
            "usages": .array(["signing", "authentication"].filter(wanted.usages.contains).map(JSON.string)),
            "description": wanted.description == ClusterSettings.WantedToken().description ? .null : .string(wanted.description),
        ]
    }
}
