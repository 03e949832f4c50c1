import Model

extension Cluster {
    private static let extraMount = Schema.list(
        .object([.init("hostPath", .string, required: true), .init("nodePath", .string, required: true), .init("readOnly", .bool)]))

    package static let schema = Schema.object([
        .init("apiVersion", .string), .init("kind", .string),
        .init("metadata", .object([.init("name", .string), .init("labels", .labels), .init("annotations", .labels)])),
        .init(
            "spec",
            .object([
                .init(
                    "nodes",
                    .list(
                        .object([
                            .init("name", .string, required: true), .init("role", .string(oneOf: ["control-plane", "worker"])),
                            .init("address", .any), .init("podCIDR", .any), .init("labels", .labels),
                            .init("taints", .list(.object(Schema.taint))), .init("extraMounts", extraMount),
                        ]))),
                .init("nodeSubnet", .any), .init("podSubnet", .any), .init("serviceSubnet", .any),
                .init("serviceNodePortRange", .string), .init("loadBalancerPool", .string), .init("plugin", .string),
                .init("bootstrap", .string(oneOf: Bootstrap.allCases.map(\.rawValue))),
                .init("kubernetesVersion", .string),
                .init("encapsulation", .string), .init("vni", .int), .init("mtu", .int),
                .init("extraMounts", extraMount),
                .init(
                    "registries",
                    .list(
                        .object([
                            .init("host", .string, required: true), .init("mirrors", .list(.string)), .init("insecure", .bool),
                            .init("caFile", .string),
                        ]))),
                .init("repair", .string(oneOf: Repair.allCases.map(\.rawValue))),
                .init("images", .list(.string)), .init("dns", .object([.init("forward", .list(.string)), .init("domain", .string)])),
                .init("links", ClusterLinks.schema), .init("nodeMonitorGracePeriod", .string), .init("internet", .bool),
            ])),
    ])

    /// What `Schema.any` stands for in this document, as JSON Schema has it: one of each family.
    package static let anyValue: JSON = ["anyOf": [["type": "string"], ["type": "array", "items": ["type": "string"], "minItems": 1]]]

    /// Of the names of a cluster and a node together, where sockets of the machine's lie below both. (unix(7), sun_path)
    private static let longestMachine = 48

    private static let controlPlaneTaint: JSON = [["key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"]]

    /// Reads a `Cluster` document. Every complaint names the file, the line and the field.
    package init(_ manifest: Manifest) throws {
        self.init()
        func fail(_ field: String, _ message: String) -> ManifestError {
            ManifestError(file: manifest.file, line: manifest.line(of: field), message: "\(field): \(message)")
        }
        let json = try manifest.decoded(by: Cluster.schema)

        let spec = json["spec"]
        name = json["metadata"]["name"].string ?? name
        guard Cluster.isName(name) else { throw fail("metadata.name", "\"\(name)\" \(Cluster.nameRule)") }
        let ranges = ClusterRanges(spec: spec, fail: fail)
        networks = try ranges.networks()
        if let text = spec["serviceNodePortRange"].string {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            let ends = parts.compactMap { Int($0) }
            guard parts.count == 2, ends.count == 2, ends[0] <= ends[1], ends[0] >= 1, ends[1] <= 65535 else {
                throw fail("spec.serviceNodePortRange", "\"\(text)\" must be FIRST-LAST within 1-65535, such as 30000-32767")
            }
            nodePortRange = ends[0]...ends[1]
        }
        bootstrap = spec["bootstrap"].string.flatMap(Bootstrap.init) ?? bootstrap
        if bootstrap == .kubeadm { plugin = .none }
        if let text = spec["plugin"].string {
            guard let known = Plugin(rawValue: text) else {
                throw fail("spec.plugin", "\"\(text)\" is none of \(Plugin.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            guard bootstrap == .minik || !known.isBuiltIn else {
                throw fail(
                    "spec.plugin",
                    "\"\(text)\" is laid out by minik, and a cluster that kubeadm makes has the network that is applied to it; leave plugin out"
                )
            }
            plugin = known
        }
        try readVersion(spec["kubernetesVersion"], fail)
        try readEncapsulation(spec["encapsulation"], fail)
        repair = spec["repair"].string.flatMap(Repair.init) ?? repair
        internet = spec["internet"].bool ?? false
        (vni, mtu) = (spec["vni"].int ?? vni, spec["mtu"].int ?? mtu)
        guard (1...0xFF_FFFF).contains(vni) else { throw fail("spec.vni", "\(vni) must be between 1 and 16777215") }
        guard (576...9000).contains(mtu) else { throw fail("spec.mtu", "\(mtu) must be between 576 and 9000") }
        guard bootstrap == .minik || families == [.ipv4] else {
            throw fail("spec.nodeSubnet", "bootstrap: kubeadm has IPv4 networks only")
        }
        nodes = try Cluster.nodes(spec["nodes"], in: self, ranges, fail)
        try requireRoom(fail)
        if let text = spec["loadBalancerPool"].string { loadBalancerPool = try pool(text) { fail("spec.loadBalancerPool", $0) } }
        try readMounts(spec, file: manifest.file, fail)
        links = try ClusterLinks.links(spec["links"], of: nodes, fail)
        if let text = spec["nodeMonitorGracePeriod"].string {
            guard let time = GoDuration(text), time.nanoseconds % 1_000_000_000 == 0, (4...3600).contains(time.seconds) else {
                throw fail("spec.nodeMonitorGracePeriod", "\"\(text)\" must be whole seconds between 4s and 1h, such as 40s")
            }
            nodeMonitorGracePeriod = time.seconds
        }
        let images = ClusterImages(file: manifest.file)
        registries = try images.registries(spec["registries"], fail)
        self.images = try images.entries(spec["images"], fail)
        try readNames(spec["dns"], fail)
    }

    /// A kubelet's socket lies below both names.
    private func requireRoom(_ fail: (String, String) -> ManifestError) throws {
        if bootstrap == .kubeadm, let long = nodes.first(where: { name.utf8.count + $0.name.utf8.count > Cluster.longestMachine }) {
            throw fail(
                "metadata.name",
                "\"\(name)\" and node \"\(long.name)\" together are longer than \(Cluster.longestMachine) bytes, which the path of a kubelet's socket has room for"
            )
        }
    }

    private mutating func readVersion(_ json: JSON, _ fail: (String, String) -> ManifestError) throws {
        guard let text = json.string else { return }
        guard let version = KubernetesVersion(text) else {
            throw fail("spec.kubernetesVersion", "\"\(text)\" is no version, such as v1.18.0 or v1.18")
        }
        let newest = KubernetesVersion.current
        guard version >= .oldest, (version.major, version.minor) <= (newest.major, newest.minor) else {
            throw fail(
                "spec.kubernetesVersion",
                "\(version) is not within v\(KubernetesVersion.oldest.major).\(KubernetesVersion.oldest.minor) and v\(newest.major).\(newest.minor), which minik serves"
            )
        }
        kubernetesVersion = version
    }

    private mutating func readNames(_ json: JSON, _ fail: (String, String) -> ManifestError) throws {
        forward = try Cluster.forward(json["forward"], fail)
        guard let domain = json["domain"].string else { return }
        guard Names.isSubdomain(domain) else {
            throw fail("spec.dns.domain", "\"\(domain)\" is no domain, such as cluster.local: lower case, without a dot at its ends")
        }
        dnsDomain = domain
    }

    private mutating func readEncapsulation(_ json: JSON, _ fail: (String, String) -> ManifestError) throws {
        if [.calico, .canal].contains(plugin), families != [.ipv4] {
            throw fail("spec.plugin", "\"\(plugin.rawValue)\" has IPv4 networks only; leave the IPv6 ones out, or use flannel-netpol")
        }
        guard let text = json.string else { return }
        guard let known = Encapsulation(rawValue: text) else {
            throw fail("spec.encapsulation", "\"\(text)\" is none of \(Encapsulation.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        guard plugin == .calico || known == .vxlan else {
            throw fail("spec.encapsulation", "plugin \"\(plugin.rawValue)\" cannot do without a tunnel; plugin calico can")
        }
        encapsulation = known
    }

    /// The pool of load balancers' addresses: on the nodes' LAN, and none of a machine's.
    private func pool(_ text: String, _ fail: (String) -> ManifestError) throws -> AddressRange {
        let whole = loadBalancerRange
        guard let range = AddressRange(text), range.first.family == nodeSubnet.family else {
            throw fail("\"\(text)\" is no \(nodeSubnet.family.rawValue) CIDR and no range FIRST-LAST, such as \(whole)")
        }
        guard nodeSubnet.contains(range.first), nodeSubnet.contains(range.last) else {
            throw fail("\(text) is not inside nodeSubnet \(nodeSubnet)")
        }
        if let node = nodes.first(where: { range.contains($0.address) }) {
            throw fail("\(text) holds \(node.address), which is the address of node \(node.name)")
        }
        for (address, owner) in [(hostAddress, "the outside host"), (gatewayAddress, "the gateway")] where range.contains(address) {
            throw fail("\(text) holds \(address), which is the address of \(owner)")
        }
        return range
    }

    private static func forward(_ json: JSON, _ fail: (String, String) -> ManifestError) throws -> [String] {
        let entries = json.items.compactMap(\.string)
        for (index, text) in entries.enumerated() where Resolver(text) == nil {
            throw fail(
                "spec.dns.forward[\(index)]",
                "\"\(text)\" is no address, such as 192.0.2.1 or 192.0.2.1:5353, and no whole path of a file, such as /etc/resolv.conf")
        }
        return entries
    }

    private mutating func readMounts(_ spec: JSON, file: String, _ fail: (String, String) -> ManifestError) throws {
        extraMounts = try ClusterMounts(file: file).mounts(spec["extraMounts"], "spec", fail)
        for (index, node) in spec["nodes"].items.enumerated() {
            let mounts = ClusterMounts(file: file, after: extraMounts)
            nodes[index].extraMounts = try mounts.mounts(node["extraMounts"], "spec.nodes[\(index)]", fail)
        }
    }

    /// The tutorial's three nodes.
    package static let standardNodes: JSON = [
        ["name": "k8s-master", "role": "control-plane"], ["name": "k8s-node1"], ["name": "k8s-node2"],
    ]

    private static func nodes(_ json: JSON, in cluster: Cluster, _ ranges: ClusterRanges, _ fail: (String, String) -> ManifestError)
        throws -> [NodeSpec]
    {
        if json.array?.isEmpty ?? false {
            throw fail("spec.nodes", "an empty list: a cluster has a node at least; without the key it has three")
        }
        let list = json.items.isEmpty ? standardNodes : json
        var nodes: [NodeSpec] = []
        for (index, item) in list.items.enumerated() {
            let path = "spec.nodes[\(index)]"
            let name = item["name"].string ?? ""
            guard Names.isSubdomain(name), name.count <= 63 else { throw fail("\(path).name", "\"\(name)\" is no host name") }
            guard !nodes.contains(where: { $0.name == name }) else { throw fail("\(path).name", "\"\(name)\" is there twice") }
            let isControlPlane = item["role"].string == "control-plane"

            let places = try ranges.places(of: item, index, path, in: cluster.networks, beside: nodes)
            let taints = item["taints"].isNull && isControlPlane ? controlPlaneTaint : item["taints"]
            nodes.append(
                NodeSpec(
                    name: name, isControlPlane: isControlPlane, places: places, taints: taints, labels: item["labels"].stringMap))
        }
        return nodes
    }
}
