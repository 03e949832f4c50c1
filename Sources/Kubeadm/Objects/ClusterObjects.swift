import API
import Model

/// An object that kubeadm writes: made, or brought to what it should be.
struct ClusterObject {
    let resource: Resource
    let json: JSON
    init(_ resource: Resource, _ json: JSON) { (self.resource, self.json) = (resource, json) }

    static func named(_ resource: Resource, _ name: String, in namespace: String? = nil, _ fields: JSON = .emptyObject) -> ClusterObject {
        var json = fields
        json["apiVersion"] = .string(resource.apiVersion)
        json["kind"] = .string(resource.kind)
        json["metadata"]["name"] = .string(name)
        json["metadata"]["namespace"] = JSON(namespace)
        return ClusterObject(resource, json)
    }
}

/// Who may do what for nodes to join, and the cluster's configuration as it is kept in it.
/// (k8s.io/kubernetes/cmd/kubeadm/app/phases: uploadconfig, kubelet, bootstraptoken)
struct ClusterObjects {
    static let system = "kube-system", open = "kube-public"
    static let tokenGroup = "system:bootstrappers:kubeadm:default-node-token"
    static let configMap = "kubeadm-config", clusterInfo = "cluster-info"

    let settings: ClusterSettings
    private var release: Release { settings.release }

    // MARK: Roles

    private static let rbac = "rbac.authorization.k8s.io"

    private func group(_ name: String) -> JSON { ["apiGroup": .string(Self.rbac), "kind": "Group", "name": .string(name)] }
    private func user(_ name: String) -> JSON { ["apiGroup": .string(Self.rbac), "kind": "User", "name": .string(name)] }

    private func binding(_ name: String, _ role: String, _ subjects: [JSON]) -> ClusterObject {
        .named(
            .clusterRoleBindings, name, in: nil,
            ["roleRef": ["apiGroup": .string(Self.rbac), "kind": "ClusterRole", "name": .string(role)], "subjects": .array(subjects)])
    }

    /// Lets subjects read one object of a namespace.
    private func reading(_ name: String, _ kind: String, _ object: String, in namespace: String, _ subjects: [JSON]) -> [ClusterObject] {
        [
            .named(
                .roles, name, in: namespace,
                ["rules": [["apiGroups": [""], "resources": [.string(kind)], "resourceNames": [.string(object)], "verbs": ["get"]]]]),
            .named(
                .roleBindings, name, in: namespace,
                [
                    "roleRef": ["apiGroup": .string(Self.rbac), "kind": "Role", "name": .string(name)], "subjects": .array(subjects),
                ]),
        ]
    }

    /// The administrator's rights, which newer releases give to a group that can be taken out of them.
    var administrators: [ClusterObject] {
        release.isOld ? [] : [binding("kubeadm:cluster-admins", "cluster-admin", [group(release.adminGroup)])]
    }

    // MARK: Configuration

    var uploadedConfiguration: [ClusterObject] {
        var data: JSON = ["ClusterConfiguration": .string(YAMLText.of(ClusterDocument.of(settings, uploaded: true)))]
        if release.isOld {
            data["ClusterStatus"] = .string(
                YAMLText.of([
                    "apiVersion": .string(release.apiVersion), "kind": "ClusterStatus",
                    "apiEndpoints": [
                        settings.nodeName: [
                            "advertiseAddress": .string(settings.advertiseAddress), "bindPort": .int(settings.bindPort),
                        ]
                    ],
                ]))
        }
        return [.named(.configMaps, Self.configMap, in: Self.system, ["data": data])]
            + reading(
                "kubeadm:nodes-kubeadm-config", "configmaps", Self.configMap, in: Self.system,
                [group(Self.tokenGroup), group("system:nodes")])
    }

    func uploadedKubelet(_ files: KubeletFiles) -> [ClusterObject] {
        let name = release.kubeletConfigMap, text = files.text
        return [
            .named(
                .configMaps, name, in: Self.system,
                [
                    "data": ["kubelet": .string(text)],
                    "metadata": [
                        "annotations": ["kubeadm.kubernetes.io/component-config.hash": .string("sha256:\(ShortHash.hex(text, digits: 64))")]
                    ],
                ])
        ]
            + reading("kubeadm:\(name)", "configmaps", name, in: Self.system, [group("system:nodes"), group(Self.tokenGroup)])
    }

    // MARK: Joining

    /// What a token is followed by: the rights of those who come with one.
    var joining: [ClusterObject] {
        let certificates = "system:certificates.k8s.io:certificatesigningrequests"
        return [
            .named(
                .clusterRoles, "kubeadm:get-nodes", in: nil,
                ["rules": [["apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]]]]),
            binding("kubeadm:get-nodes", "kubeadm:get-nodes", [group(Self.tokenGroup)]),
            binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", [group(Self.tokenGroup)]),
            binding("kubeadm:node-autoapprove-bootstrap", "\(certificates):nodeclient", [group(Self.tokenGroup)]),
            binding("kubeadm:node-autoapprove-certificate-rotation", "\(certificates):selfnodeclient", [group("system:nodes")]),
        ]
            + (release.isOld
                ? [] : [binding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", [user("kube-apiserver-kubelet-client")])])
    }

    /// What anybody may know of the cluster: where it is, and whose certificates it has.
    func clusterInfo(authority: String) -> [ClusterObject] {
        let cluster = KubeconfigText.cluster(settings.server, authority)
        let text = """
            apiVersion: v1
            clusters:
            - cluster:
                certificate-authority-data: \(cluster["certificate-authority-data"].string ?? "")
                server: \(settings.server)
              name: ""
            contexts: null
            current-context: ""
            kind: Config
            \(release.isOld ? "preferences: {}\n" : "")users: null

            """
        return [.named(.configMaps, Self.clusterInfo, in: Self.open, ["data": ["kubeconfig": .string(text)]])]
            + reading("kubeadm:bootstrap-signer-clusterinfo", "configmaps", Self.clusterInfo, in: Self.open, [user("system:anonymous")])
    }

    /// What makes a node one of the control plane.
    func marked(_ node: JSON) -> JSON {
        var node = node
        for label in release.roleLabels { node["metadata"]["labels"][label] = "" }
        if release.isOld {
            node["metadata"]["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"] = .string(settings.criSocket)
        }
        let own = settings.node.taints ?? [["key": .string(release.taint), "effect": "NoSchedule"]]
        let kept = node["spec"]["taints"].items.filter { taint in
            !own.contains { $0["key"] == taint["key"] && $0["effect"] == taint["effect"] }
        }
        node["spec"]["taints"] = own.isEmpty && kept.isEmpty ? .null : .array(own + kept)
        return node
    }
}
