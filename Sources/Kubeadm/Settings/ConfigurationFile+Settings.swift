import Model

/// What the documents of `kubeadm init` say, put into its settings.
extension ConfigurationFile {
    func apply(to settings: inout ClusterSettings) throws {
        settings.source = (cluster, initial)
        if let address = initial["localAPIEndpoint"]["advertiseAddress"].string { settings.advertiseAddress = address }
        if let port = initial["localAPIEndpoint"]["bindPort"].int { settings.bindPort = port }
        settings.node.read(initial["nodeRegistration"])
        settings.skippedPhases = initial["skipPhases"].items.compactMap(\.string)
        settings.isDry = initial["dryRun"].bool ?? false
        let wanted = initial["bootstrapTokens"].items
        if !wanted.isEmpty { settings.tokens = try wanted.map(token) }
        if let folder = cluster["certificatesDir"].string { settings.certificatesFolder = folder }
        if let name = cluster["clusterName"].string { settings.clusterName = name }
        if let endpoint = cluster["controlPlaneEndpoint"].string { settings.endpoint = endpoint }
        if let repository = cluster["imageRepository"].string { settings.repository = repository }
        let networking = cluster["networking"]
        if let domain = networking["dnsDomain"].string { settings.domain = domain }
        if let range = networking["podSubnet"].string { settings.podSubnet = range }
        if let range = networking["serviceSubnet"].string { settings.serviceSubnet = range }
        settings.extraNames = cluster["apiServer"]["certSANs"].items.compactMap(\.string)
        settings.coreDNSImage = image(cluster["dns"])
        settings.hasCoreDNS = cluster["dns"]["disabled"].bool != true
        settings.hasKubeProxy = cluster["proxy"]["disabled"].bool != true
        settings.kubelet = documents["KubeletConfiguration"] ?? .null
        settings.proxy = documents["KubeProxyConfiguration"] ?? .null
        let limit = initial["timeouts"]["controlPlaneComponentHealthCheck"].string ?? cluster["apiServer"]["timeoutForControlPlane"].string
        if let limit = limit.flatMap({ GoDuration($0) }) { settings.patience = limit.seconds }
        applyComponents(to: &settings)
    }

    private func applyComponents(to settings: inout ClusterSettings) {
        let etcd = cluster["etcd"]["local"]
        for (component, part) in [
            ("kube-apiserver", cluster["apiServer"]), ("kube-controller-manager", cluster["controllerManager"]),
            ("kube-scheduler", cluster["scheduler"]), ("etcd", etcd),
        ] {
            settings.extraArguments[component] = Self.arguments(part["extraArgs"])
            settings.extraVolumes[component] = part["extraVolumes"].items
            settings.extraVariables[component] = part["extraEnvs"].items
        }
        if let folder = etcd["dataDir"].string { settings.etcdFolder = folder }
        settings.etcdServerNames = etcd["serverCertSANs"].items.compactMap(\.string)
        settings.etcdPeerNames = etcd["peerCertSANs"].items.compactMap(\.string)
        settings.etcdImage = image(etcd)
    }

    private func image(_ json: JSON) -> ClusterSettings.ImageChange {
        ClusterSettings.ImageChange(repository: json["imageRepository"].string, tag: json["imageTag"].string)
    }

    private func token(_ json: JSON) throws(KubeadmError) -> ClusterSettings.WantedToken {
        var wanted = ClusterSettings.WantedToken()
        if let text = json["token"].string {
            guard let token = BootstrapToken(text) else { throw SettingsReader.badToken(text) }
            wanted.token = token
        }
        if let life = json["ttl"].string.flatMap({ GoDuration($0) }) { wanted.life = max(0, life.seconds) }
        if let text = json["description"].string { wanted.description = text }
        if let usages = json["usages"].array { wanted.usages = Set(usages.compactMap(\.string)) }
        if let groups = json["groups"].array { wanted.groups = groups.compactMap(\.string) }
        return wanted
    }

    /// Settings that have no effect here, by their fields. What is wanted of a component is written into its manifest all the same.
    func unfollowed(for kinds: [String]) -> [String] {
        let fields = kinds.flatMap { kind in
            UnfollowedFields.paths(of: documents[kind] ?? .null, kind).map { "\(kind).\($0)" }
        }
        let parts = [
            ("kube-apiserver", "apiServer"), ("kube-controller-manager", "controllerManager"), ("kube-scheduler", "scheduler"),
            ("etcd", "etcd.local"),
        ]
        let flags = parts.flatMap { component, field in
            let json = field.split(separator: ".").reduce(cluster) { $0[String($1)] }
            return ComponentFlags.unfollowed(Self.arguments(json["extraArgs"]), of: component).map {
                "ClusterConfiguration.\(field).extraArgs: \($0)"
            }
        }
        let kubelets = kinds.flatMap { kind in
            ComponentFlags.unfollowed(Self.arguments((documents[kind] ?? .null)["nodeRegistration"]["kubeletExtraArgs"]), of: "kubelet").map
            {
                "\(kind).nodeRegistration.kubeletExtraArgs: \($0)"
            }
        }
        return fields + (kinds.contains("ClusterConfiguration") ? flags : []) + kubelets
    }

    func warnOfUnfollowed(for kinds: [String], _ console: Console) {
        for field in unfollowed(for: kinds) {
            console.warn("[config] WARNING: \(field) has no effect on minik's clusters", "unfollowed.go:1")
        }
    }
}
