import Glibc
import Model
import Netlink

extension CNILink {
    /// The mark of a link that this plugin made, so that it can be found again: network, container, interface.
    package struct Mark: Sendable, Hashable {
        private static let word = "minik-cni"
        package let network: String
        package let container: String
        package let interface: String

        package init(_ call: CNICall) { (network, container, interface) = (call.network, call.containerID, call.interface) }

        package init?(_ text: String) {
            let words = text.split(separator: " ").map(String.init)
            guard words.count == 4, words[0] == Self.word else { return nil }
            (network, container, interface) = (words[1], words[2], words[3])
        }

        package var text: String { [Self.word, network, container, interface].joined(separator: " ") }
    }

    /// Makes it; the MACs of the bridge and of the node's end. Throws when something is missing; what was made is for `delete` then.
    package func make(_ call: CNICall) throws -> (bridge: MACAddress?, port: MACAddress?) {
        var node = try NetworkPlace(NetworkNamespace.current())
        let bridge = configuration.kind == .flannel ? try makeBridge(&node) : nil
        // That of the pod's sandbox before this one, if it has not been taken away yet.
        if configuration.kind == .calico { try node.socket.deleteLink(name) }
        try node.socket.addVeth(
            name, master: bridge?.index, mtu: configuration.mtu, address: bridge == nil ? CalicoLayout.portAddress : nil, peer: interface,
            peerAddress: hardwareAddress, peerNamespace: try NetworkNamespace(path: call.namespace))
        let index = try node.socket.index(of: name)
        try node.socket.setAlias(index, Mark(call).text)
        if bridge != nil, configuration.isHairpin { try node.socket.setHairpin(index) }
        _ = try node.repair(host)
        var inside = try NetworkPlace(path: call.namespace)
        _ = try inside.repair(self.inside)
        return (bridge?.address, try node.socket.link(name)?.address)
    }

    /// The bridge of all containers of the node, with an address of each family that is their gateway's.
    private func makeBridge(_ node: inout NetworkPlace) throws -> Link {
        let name = configuration.bridge, gateways = Dictionary(grouping: addresses, by: \.address.family)
        if try node.socket.link(name) == nil {
            let address = MACAddress(derivedFrom: "\(name)/\(addresses[0].gateway)")
            do { try node.socket.addBridge(name, mtu: configuration.mtu, address: address) } catch {
                // Somebody else's call has been faster.
                if !error.isExists { throw error }
            }
        }
        guard let link = try node.socket.link(name), link.kind == "bridge" else {
            throw CNIRefusal(CNIRefusal.Code.configuration, "\"\(name)\" already exists but is not a bridge")
        }
        for (family, own) in gateways {
            let there = try node.socket.addresses(family).filter { $0.device == link.index && !Self.linkLocal.contains($0.address) }
            let wanted = Set(own.map { NetworkReading.Address($0.gateway, $0.prefixLength, link.index) })
            let found = Set(there.map { NetworkReading.Address($0.address, $0.prefixLength, link.index) })
            guard found.isEmpty || wanted.isSubset(of: found) else {
                throw CNIRefusal(
                    CNIRefusal.Code.configuration,
                    "\"\(name)\" already has an IP address different from \(own[0].gateway)/\(own[0].prefixLength)",
                    details: "it has \(there.map { "\($0.address)/\($0.prefixLength)" }.joined(separator: ", ")): ip link delete \(name)")
            }
            for address in wanted.subtracting(found) {
                try node.socket.addAddress(address.address, address.prefixLength, dev: link.index)
            }
        }
        if !link.isUp { try node.socket.setUp(link.index) }
        return link
    }

    /// fe80::/10
    private static let linkLocal = IPNetwork(IPAddress(.ipv6, number: 0xFE80 << 112), 10)

    /// What of it is not there, but for what a plugin after it may have changed: MTU and MAC.
    package func missing(_ call: CNICall) throws -> [NetworkItem] {
        func missing(_ place: consuming NetworkPlace, _ items: [NetworkItem]) throws -> [NetworkItem] {
            let reading = try place.read(for: items)
            return items.filter { item in
                guard case .link(var link) = item, let found = reading.links[link.name] else { return !reading.has(item) }
                (link.mtu, link.address) = (found.mtu, nil)
                return !reading.has(.link(link))
            }
        }
        return try missing(NetworkPlace(NetworkNamespace.current()), host) + missing(NetworkPlace(path: call.namespace), inside)
    }
}
