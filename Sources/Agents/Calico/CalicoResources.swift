import Model

/// The kinds that Calico keeps its data in, as its manifests define them.
extension Resource {
    private static func calico(_ plural: String, _ kind: String, namespaced: Bool = false) -> Resource {
        Resource("crd.projectcalico.org", "v1", plural, kind, namespaced: namespaced)
    }

    package static let calicoPools = calico("ippools", "IPPool")
    package static let calicoBlocks = calico("ipamblocks", "IPAMBlock")
    package static let calicoAffinities = calico("blockaffinities", "BlockAffinity")
    package static let calicoHandles = calico("ipamhandles", "IPAMHandle")
    package static let calicoInformation = calico("clusterinformations", "ClusterInformation")
    package static let calicoFelix = calico("felixconfigurations", "FelixConfiguration")
    package static let calicoGlobalPolicies = calico("globalnetworkpolicies", "GlobalNetworkPolicy")
    package static let calicoPolicies = calico("networkpolicies", "NetworkPolicy", namespaced: true)
    package static let calicoHosts = calico("hostendpoints", "HostEndpoint")

    /// An object of the kind.
    package func object(_ name: String, _ spec: JSON) -> JSON {
        ["apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": ["name": .string(name)], "spec": spec]
    }
}

/// A range of addresses that pods have.
package struct CalicoPool: Sendable, Hashable {
    package let range: IPNetwork
    package let blockLength: Int
    package let encapsulation: CalicoSettings.Encapsulation
    package let isMasqueraded: Bool
    package let isIPIP: Bool
    /// Nodes have blocks of it: it is not disabled, and for all nodes.
    package let isOpen: Bool

    package init?(_ object: JSON) {
        let spec = object["spec"]
        guard let range = spec["cidr"].string.flatMap({ IPNetwork($0, .ipv4) }) else { return nil }
        self.range = range
        blockLength = spec["blockSize"].int.flatMap { (range.prefixLength...32).contains($0) ? $0 : nil } ?? max(26, range.prefixLength)
        encapsulation = spec["vxlanMode"].string.flatMap { CalicoSettings.Encapsulation(word: $0) } ?? .never
        isMasqueraded = spec["natOutgoing"].bool ?? false
        isIPIP = spec["ipipMode"].string.flatMap { CalicoSettings.Encapsulation(word: $0) } ?? .never != .never
        isOpen = spec["disabled"].bool != true && ["", "all()"].contains(spec["nodeSelector"].string ?? "")
    }

    package static let standardName = "default-ipv4-ippool"

    /// That which a first calico-node makes.
    static func standard(_ settings: CalicoSettings, _ range: IPNetwork) -> JSON {
        Resource.calicoPools.object(
            standardName,
            [
                "cidr": .string(range.description), "blockSize": .int(max(settings.blockLength, range.prefixLength)),
                "ipipMode": .string(settings.ipip.rawValue), "vxlanMode": .string(settings.vxlan.rawValue),
                "natOutgoing": .bool(settings.isMasqueraded), "nodeSelector": "all()",
            ])
    }
}
