import Glibc
import Model
import Netlink

extension CNILink {
    /// The mark of a link that this plugin made, so that it can be found again: network, container, interface.
    package struct Mark: Sendable, Hashable {
        private static let word = "minik-cni"
        private let network: String
        package let container: String
        package let interface: String

        package init(_ call: CNICall) { self.init(network: call.network, container: call.containerID, interface: call.interface) }

        package init(network: String, container: String, interface: String) {
            (self.network, self.container, self.interface) = (Self.fitting(network), Self.fitting(container), interface)
        }

        /// A link's alias has 255 bytes (linux/if.h, IFALIASZ): what is too long for it is told by a hash.
        private static func fitting(_ name: String) -> String {
            name.utf8.count <= 100 ? name : "\(name.prefix(60))-\(ShortHash.hex(name, digits: 32))"
        }

        package init?(_ text: String) {
            let words = text.split(separator: " ").map(String.init)
            guard words.count == 4, words[0] == Self.word else { return nil }
            (network, container, interface) = (words[1], words[2], words[3])
        }

        package func isSameNetwork(as call: CNICall) -> Bool { network == Self.fitting(call.network) }

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
        // First that for which the kernel makes routes itself.
        _ = try inside.repair(self.inside.filter { !$0.isRoute })
        _ = try inside.repair(self.inside, besideOthers: true)
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
    package func missing(_ node: consuming NetworkPlace, _ container: consuming NetworkPlace) throws -> [NetworkItem] {
        func missing(_ place: consuming NetworkPlace, _ items: [NetworkItem]) throws -> [NetworkItem] {
            let reading = try place.read(for: items)
            return items.filter { item in
                guard case .link(var link) = item, let found = reading.links[link.name] else { return !reading.has(item) }
                (link.mtu, link.address) = (found.mtu, nil)
                return !reading.has(.link(link))
            }
        }
        return try missing(node, host) + missing(container, inside)
    }
}
