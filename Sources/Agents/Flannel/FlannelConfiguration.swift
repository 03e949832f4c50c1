import Model

/// The network that all nodes have in common: net-conf.json. (flannel-io/flannel pkg/subnet, Config; Documentation/backends.md)
package struct FlannelConfiguration: Sendable, Equatable {
    package enum Backend: Sendable, Equatable {
        /// `isDirect`: without the tunnel where nodes are neighbours.
        case vxlan(vni: Int, port: UInt16, isDirect: Bool, mtu: Int?)
        /// Routes by the nodes' addresses.
        case hostGateway

        package var name: String { if case .vxlan = self { "vxlan" } else { "host-gw" } }
        /// The tunnel's; nil where there is none.
        package var port: UInt16? { if case .vxlan(_, let port, _, _) = self { port } else { nil } }
    }

    package struct Unusable: Error, Equatable, CustomStringConvertible {
        package let description: String
        package init(_ description: String) { self.description = description }
    }

    /// Where all pods are: of each family, IPv4 first.
    package let networks: [IPNetwork]
    package let backend: Backend
    /// What it asks for that is not done here.
    package let unknown: [String]

    package init(_ text: String) throws(Unusable) {
        let json: JSON
        do { json = try JSON(parsing: text) } catch { throw Unusable("error parsing subnet config: \(error)") }
        var networks: [IPNetwork] = []
        for (key, family) in [("Network", IPFamily.ipv4), ("IPv6Network", .ipv6)] {
            guard json[family == .ipv4 ? "EnableIPv4" : "EnableIPv6"].bool ?? (family == .ipv4) else { continue }
            guard let network = json[key].string.flatMap({ IPNetwork.parts($0) }), network.0.family == family else {
                throw Unusable("error parsing subnet config: \"\(key)\" is \(json[key].text()), and a range like 10.244.0.0/16 is meant")
            }
            networks.append(IPNetwork(network.0, network.1))
        }
        guard !networks.isEmpty else { throw Unusable("error parsing subnet config: neither EnableIPv4 nor EnableIPv6") }
        self.networks = networks
        let backend = json["Backend"], type = backend["Type"].string ?? "udp"
        var unknown: [String] = []
        switch type.lowercased() {
        case "vxlan":
            let vni = backend["VNI"].int ?? 1, port = backend["Port"].int ?? 0
            guard (1..<1 << 24).contains(vni), let number = UInt16(exactly: port) else {
                throw Unusable("error parsing subnet config: Backend has VNI \(vni) and Port \(port)")
            }
            self.backend = .vxlan(
                vni: vni, port: number == 0 ? 8472 : number, isDirect: backend["DirectRouting"].bool ?? false, mtu: backend["MTU"].int)
            unknown += ["GBP", "Learning"].filter { backend[$0].bool == true }.map { "Backend.\($0)" }
        case "host-gw": self.backend = .hostGateway
        default: throw Unusable("unknown backend type: \(type): minik's flanneld has vxlan and host-gw")
        }
        self.unknown = unknown
    }

    package func network(_ family: IPFamily) -> IPNetwork? { networks.first { $0.family == family } }
}
