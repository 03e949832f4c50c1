import Model

/// What calico-node is told by its environment. (docs.tigera.io/calico/latest/reference/configure-calico-node, .../felix/configuration)
package struct CalicoSettings: Sendable, Equatable {
    /// How nodes' pods reach one another's.
    package enum Backend: String, Sendable {
        /// Routes by the nodes' addresses.
        case bird
        case vxlan
        /// Another's affair: flannel's, in canal.
        case none
    }

    /// Of a pool: as its object has it.
    package enum Encapsulation: String, Sendable {
        case never = "Never"
        case always = "Always"
        case crossSubnet = "CrossSubnet"

        init?(word text: String) {
            switch text.lowercased() {
            case "", "off", "never": self = .never
            case "always": self = .always
            case "crosssubnet", "cross-subnet": self = .crossSubnet
            default: return nil
            }
        }
    }

    /// How the node's own address is found; `given`: it is said.
    package enum Detection: Sendable, Equatable {
        case firstFound
        case links([String])
        case kubernetes
        case given(IPAddress, Int?)
    }

    package let node: String
    package let backend: Backend
    /// nil: no address is needed.
    package let detection: Detection?
    /// Of the pool that is made where there is none; without a range it is found.
    package let poolRange: IPNetwork?
    package let blockLength: Int
    package let ipip: Encapsulation
    package let vxlan: Encapsulation
    package let isMasqueraded: Bool
    package let makesPool: Bool
    /// Seconds after which all that is in the kernel is looked at; 0: never.
    package let refresh: Int
    /// nil: nobody is told how it is.
    package let healthPort: Int?
    package let vxlanMTU: Int?
    package let clusterType: String
    /// What is asked for and not done here.
    package let unknown: [String]

    package init(_ call: ProgramCall) throws(ProgramFailure) {
        var reader = Reader(call)
        guard reader.text("DATASTORE_TYPE") == "kubernetes" else {
            throw ProgramFailure("minik's calico-node keeps its data in Kubernetes alone: DATASTORE_TYPE=kubernetes")
        }
        guard let node = reader.text("NODENAME") ?? reader.text("CALICO_K8S_NODE_REF") ?? reader.text("HOSTNAME") else {
            throw ProgramFailure("NODENAME is not set: which node this is")
        }
        self.node = node.lowercased()
        backend = try reader.value("CALICO_NETWORKING_BACKEND", .bird) { Backend(rawValue: $0) }
        detection = try Self.detection(&reader)
        poolRange = try reader.value("CALICO_IPV4POOL_CIDR", nil) { IPNetwork($0, .ipv4).map(Optional.some) }
        blockLength = try reader.value("CALICO_IPV4POOL_BLOCK_SIZE", 26) { Int($0).flatMap { (20...32).contains($0) ? $0 : nil } }
        ipip = try reader.value("CALICO_IPV4POOL_IPIP", .never) { Encapsulation(word: $0) }
        vxlan = try reader.value("CALICO_IPV4POOL_VXLAN", .never) { Encapsulation(word: $0) }
        isMasqueraded = try reader.value("CALICO_IPV4POOL_NAT_OUTGOING", true, GoFlags.truth)
        makesPool = try !reader.value("NO_DEFAULT_POOLS", false, GoFlags.truth)
        refresh = try reader.value("FELIX_IPTABLESREFRESHINTERVAL", 90) { Int($0).flatMap { $0 >= 0 ? $0 : nil } }
        let isHealthTold = try reader.value("FELIX_HEALTHENABLED", false, GoFlags.truth)
        let port = try reader.value("FELIX_HEALTHPORT", 9099) { Int($0).flatMap { (1...65535).contains($0) ? $0 : nil } }
        healthPort = isHealthTold ? port : nil
        let mtu = try reader.value("FELIX_VXLANMTU", 0) { Int($0) }
        vxlanMTU = mtu == 0 ? nil : mtu
        clusterType = reader.text("CLUSTER_TYPE") ?? ""
        // Where another leads, nobody asks how.
        let isOthers = backend == .none
        unknown = reader.unknown.filter { !isOthers || !$0.hasPrefix("USE_POD_CIDR=") }
    }

    private static func detection(_ reader: inout Reader) throws(ProgramFailure) -> Detection? {
        let method = reader.text("IP_AUTODETECTION_METHOD") ?? "first-found"
        switch reader.text("IP") ?? "" {
        case "", "none": return nil
        case "autodetect": break
        case let text:
            if let address = IPAddress(text, .ipv4) { return .given(address, nil) }
            guard let (address, length) = IPNetwork.parts(text), address.family == .ipv4 else {
                throw ProgramFailure("IP is \"\(text)\", and autodetect, none or an address is meant")
            }
            return .given(address, length)
        }
        if method.hasPrefix("interface=") { return .links(method.dropFirst("interface=".count).split(separator: ",").map { $0.trimmed }) }
        if method == "kubernetes-internal-ip" { return .kubernetes }
        if !["first-found", "autodetect"].contains(method) { reader.unknown.append("IP_AUTODETECTION_METHOD=\(method)") }
        return .firstFound
    }
}

extension CalicoSettings {
    /// Reads variables, and knows which nobody has read.
    fileprivate struct Reader {
        private let call: ProgramCall
        var unknown: [String]
        /// What asks for nothing that would be done otherwise here.
        private static let idle: Set<String> = [
            "CALICO_DISABLE_FILE_LOGGING", "FELIX_LOGSEVERITYSCREEN", "FELIX_LOGSEVERITYSYS", "FELIX_LOGSEVERITYFILE", "CALICO_MANAGE_CNI",
            "CALICO_CNI_SERVICE_ACCOUNT", "CALICO_STARTUP_LOGLEVEL", "FELIX_IPINIPMTU", "FELIX_WIREGUARDMTU",
        ]
        /// With these words they ask for what there is.
        private static let words: [String: Set<String>] = [
            "FELIX_DEFAULTENDPOINTTOHOSTACTION": ["ACCEPT"], "FELIX_IPV6SUPPORT": ["false"], "FELIX_TYPHAK8SSERVICENAME": ["none"],
            "FELIX_BPFENABLED": ["false"], "FELIX_IPINIPENABLED": ["false"], "CALICO_IPV6POOL_VXLAN": ["never"], "IP6": ["none"],
            "USE_POD_CIDR": ["false"],
        ]
        private static let read: Set<String> = [
            "CALICO_K8S_NODE_REF", "CALICO_NETWORKING_BACKEND", "CALICO_IPV4POOL_CIDR", "CALICO_IPV4POOL_BLOCK_SIZE",
            "CALICO_IPV4POOL_IPIP", "CALICO_IPV4POOL_VXLAN", "CALICO_IPV4POOL_NAT_OUTGOING", "FELIX_IPTABLESREFRESHINTERVAL",
            "FELIX_HEALTHENABLED", "FELIX_HEALTHPORT", "FELIX_VXLANMTU",
        ]

        init(_ call: ProgramCall) {
            self.call = call
            unknown = call.environment.keys.sorted().filter { name in
                guard name.hasPrefix("FELIX_") || name.hasPrefix("CALICO_") || Self.words[name] != nil,
                    let value = call.variable(name), !Self.isService(name)
                else { return false }
                if let words = Self.words[name] { return !words.contains { $0.lowercased() == value.lowercased() } }
                return !Self.idle.contains(name) && !Self.read.contains(name)
            }.map { "\($0)=\(call.environment[$0] ?? "")" }
        }

        /// What a kubelet says of a Service whose name begins so: CALICO_TYPHA_SERVICE_HOST, CALICO_TYPHA_PORT_5473_TCP.
        private static func isService(_ name: String) -> Bool {
            name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.hasSuffix("_PORT") || name.contains(/_PORT_\d+_/)
        }

        func text(_ name: String) -> String? { call.variable(name)?.trimmed }

        func value<T>(_ name: String, _ standard: T, _ read: (String) -> T?) throws(ProgramFailure) -> T {
            guard let text = text(name) else { return standard }
            guard let value = read(text) else { throw ProgramFailure("\(name) is \"\(text)\", which means nothing there") }
            return value
        }
    }
}
