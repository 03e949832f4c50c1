import Model
import Netlink

/// A container's link as it should be, on both sides.
package struct CNILink: Sendable {
    package struct Address: Sendable, Hashable {
        package let address: IPAddress
        package let prefixLength: Int
        package let gateway: IPAddress
    }

    package struct Route: Sendable, Hashable {
        package let destination: IPNetwork
        package let gateway: IPAddress
    }

    package let configuration: CNILinkConfiguration
    /// The node's end.
    package let name: String
    package let interface: String
    package let hardwareAddress: MACAddress
    package let addresses: [Address]
    package let routes: [Route]

    /// `result`: the addresses that the container got, or what `json` said of it earlier; `name`: that of the node's end where it is known.
    package init(_ call: CNICall, _ configuration: CNILinkConfiguration, _ result: JSON, name: String? = nil) throws(CNIRefusal) {
        self.configuration = configuration
        self.name = name ?? Self.name(call, configuration.kind)
        interface = call.interface
        hardwareAddress = configuration.hardwareAddress ?? MACAddress(derivedFrom: "\(call.network)/\(call.containerID)/\(call.interface)")
        addresses = try Self.addresses(result, configuration.kind)
        routes = try Self.routes(result, addresses, configuration)
    }

    /// Derived, so that whoever takes it away needs nothing but the call: Calico's from the pod where there is one.
    package static func name(_ call: CNICall, _ kind: CNILinkConfiguration.Kind) -> String {
        let own = "\(call.network)/\(call.containerID)/\(call.interface)"
        switch kind {
        case .flannel: return "veth\(ShortHash.hex(own, digits: 8))"
        case .calico:
            let told = call.arguments
            if call.interface == NodeLayout.lan, let namespace = told["K8S_POD_NAMESPACE"], let pod = told["K8S_POD_NAME"] {
                return CalicoLayout.linkName(namespace, pod)
            }
            return "cali\(ShortHash.hex(own, digits: 11))"
        }
    }

    private static func addresses(_ result: JSON, _ kind: CNILinkConfiguration.Kind) throws(CNIRefusal) -> [Address] {
        let addresses = try result["ips"].items.map { (item) throws(CNIRefusal) in
            guard let (address, length) = item["address"].string.flatMap({ IPNetwork.parts($0) }) else {
                throw CNIRefusal(CNIRefusal.Code.undecodable, "\(item["address"].text()) is no address with the length of its network")
            }
            switch kind {
            case .flannel:
                let gateway = item["gateway"].string.flatMap { IPAddress($0) } ?? IPNetwork(address, length)[1]
                return Address(address: address, prefixLength: length, gateway: gateway)
            case .calico:
                guard address.family == .ipv4 else {
                    throw CNIRefusal(CNIRefusal.Code.unsupportedField, "\(address): minik's Calico links have IPv4 only")
                }
                return Address(address: address, prefixLength: 32, gateway: CalicoLayout.gateway)
            }
        }
        guard !addresses.isEmpty else { throw CNIRefusal(CNIRefusal.Code.configuration, "the IPAM plugin has given no address") }
        return addresses
    }

    /// Those that are listed, through the gateway of their family where they name none; and, where the link is the way to all others, that.
    private static func routes(_ result: JSON, _ addresses: [Address], _ configuration: CNILinkConfiguration) throws(CNIRefusal) -> [Route]
    {
        var routes: [Route] = []
        if configuration.kind == .flannel {
            for item in result["routes"].items {
                guard let (address, length) = item["dst"].string.flatMap({ IPNetwork.parts($0) }) else {
                    throw CNIRefusal(CNIRefusal.Code.undecodable, "route \(item.text()) has no network as its \"dst\"")
                }
                let own = addresses.first { $0.address.family == address.family }?.gateway
                guard let gateway = item["gw"].string.flatMap({ IPAddress($0) }) ?? own else { continue }
                routes.append(Route(destination: IPNetwork(address, length), gateway: gateway))
            }
        }
        guard configuration.isDefaultGateway || configuration.kind == .calico else { return routes }
        for address in addresses where !routes.contains(where: { $0.destination == .all(address.address.family) }) {
            routes.append(Route(destination: .all(address.address.family), gateway: address.gateway))
        }
        return routes
    }

    // MARK: What each side has

    /// On the node, the link itself first.
    package var host: [NetworkItem] {
        let families = Set(addresses.map(\.address.family)).map(NetworkItem.routing)
        switch configuration.kind {
        case .flannel: return families + [.link(LinkItem(name, .plug, mtu: configuration.mtu, master: configuration.bridge))]
        case .calico: return families + CalicoLayout.port(name, addresses: addresses.map(\.address), mtu: configuration.mtu)
        }
    }

    /// In the container.
    package var inside: [NetworkItem] {
        if configuration.kind == .calico {
            return CalicoLayout.pod(
                interface, addresses: addresses.map(\.address), mtu: configuration.mtu, hardwareAddress: hardwareAddress)
        }
        // Engines switch it off where nobody asked for it.
        let hasIPv6 = addresses.contains { $0.address.family == .ipv6 }
        return (hasIPv6 ? [.sysctl("net.ipv6.conf.\(interface).disable_ipv6", "0")] : [])
            + [.link(LinkItem(interface, .plug, mtu: configuration.mtu, address: hardwareAddress))]
            + addresses.flatMap { NetworkItem.onLink($0.address, in: IPNetwork($0.address, $0.prefixLength), dev: interface) }
            + routes.map { .route($0.destination, via: $0.gateway, dev: interface) }
    }

    /// As it is told to whoever asked for it.
    package func json(_ call: CNICall, dns: JSON, bridge: MACAddress?, port: MACAddress?) -> JSON {
        func link(_ name: String, _ mac: MACAddress?, sandbox: String? = nil) -> JSON {
            var json: JSON = ["name": .string(name), "mac": JSON(mac?.description), "sandbox": JSON(sandbox)]
            if call.version >= .withStatusAndGC { json["mtu"] = .int(configuration.mtu) }
            return json
        }
        let node = (configuration.kind == .flannel ? [link(configuration.bridge, bridge)] : []) + [link(name, port)]
        return [
            "cniVersion": .string(call.version.description),
            "interfaces": .array(node + [link(interface, hardwareAddress, sandbox: call.namespace)]),
            "ips": .array(
                addresses.map { address in
                    [
                        "version": call.version < .withoutFamilies ? (address.address.family == .ipv4 ? "4" : "6") : .null,
                        "interface": .int(node.count), "address": .string("\(address.address)/\(address.prefixLength)"),
                        "gateway": .string(address.gateway.description),
                    ]
                }),
            "routes": .array(routes.map { ["dst": .string($0.destination.description), "gw": .string($0.gateway.description)] }),
            "dns": dns.isNull ? .emptyObject : dns,
        ]
    }
}
