import Model

/// Which of a node's links and addresses the others reach it by. (projectcalico/calico node/pkg/lifecycle/startup/autodetection)
package enum CalicoUplink {
    package struct Found: Sendable, Equatable {
        package let link: Uplink
        package let address: IPAddress
        package let prefixLength: Int

        package init(link: Uplink, address: IPAddress, prefixLength: Int) {
            (self.link, self.address, self.prefixLength) = (link, address, prefixLength)
        }
    }

    package typealias Link = (name: String, mtu: Int, addresses: [IPAddress], networks: [IPNetwork])

    /// What is no way to other machines.
    private static let passedOver = [
        "docker", "cbr", "dummy", "virbr", "lxcbr", "veth", "lo", "cali", "tunl", "flannel", "kube-ipvs", "cni", "vxlan.calico", "vxlan-v6",
        "wireguard", "wg-v6", "nodelocaldns",
    ]

    /// `node`: what Kubernetes knows of it.
    package static func choose(_ links: [Link], _ detection: CalicoSettings.Detection?, node: Node) throws(ProgramFailure) -> Found {
        let own = links.filter { link in !passedOver.contains { link.name.hasPrefix($0) } }
        switch detection {
        case .given(let address, let length):
            if let found = find(links, { $0 == address }) { return found }
            throw ProgramFailure("IP is \(address)\(length.map { "/\($0)" } ?? ""), which no link of this node has")
        case .links(let patterns):
            for pattern in patterns {
                let expression: Regex<AnyRegexOutput>
                do { expression = try Regex(pattern) } catch {
                    throw ProgramFailure("IP_AUTODETECTION_METHOD: \"\(pattern)\" is no pattern")
                }
                if let found = find(links.filter { $0.name.wholeMatch(of: expression) != nil }, { _ in true }) { return found }
            }
            throw ProgramFailure(
                "Unable to auto-detect an IPv4 address using interface regexes \(patterns): no valid host interfaces found")
        case .kubernetes, nil:
            if let address = node.internalIP(.ipv4), let found = find(links, { $0 == address }) { return found }
            throw ProgramFailure(
                "no link of this node has the address that its Node tells: \(node.internalIP(.ipv4)?.description ?? "none")")
        case .firstFound:
            if let found = find(own, { _ in true }) { return found }
            throw ProgramFailure("Unable to auto-detect an IPv4 address: no valid IPv4 addresses found on the host interfaces")
        }
    }

    private static func find(_ links: [Link], _ isMeant: (IPAddress) -> Bool) -> Found? {
        for link in links {
            for (address, network) in zip(link.addresses, link.networks) where address.family == .ipv4 && isMeant(address) {
                let uplink = Uplink(name: link.name, mtu: link.mtu, networks: link.networks)
                return Found(link: uplink, address: address, prefixLength: network.prefixLength)
            }
        }
        return nil
    }
}
