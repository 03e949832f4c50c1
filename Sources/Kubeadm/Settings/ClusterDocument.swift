import API
import Model

/// The documents of kubeadm.k8s.io, written.
enum ClusterDocument {
    /// `uploaded`: as it is kept in the cluster, with what was filled in.
    static func of(_ settings: ClusterSettings, uploaded: Bool) -> JSON {
        let release = settings.release, isList = release.apiVersion.hasSuffix("v1beta4")
        func arguments(_ component: String, _ own: [String: String] = [:]) -> JSON {
            let all = own.merging(settings.extraArguments[component] ?? [:]) { $1 }
            guard !all.isEmpty else { return .null }
            return isList
                ? .array(all.sorted { $0.key < $1.key }.map { ["name": .string($0.key), "value": .string($0.value)] }) : JSON(all)
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
        return document
    }
}
