import Model
import Runtime

/// The link that a node's flanneld talks to the others by. (flannel-io/flannel pkg/ipmatch)
package struct FlannelUplink {
    let options: FlannelOptions
    let log: ProgramLog

    /// A link, and the address of each family that others are to know.
    struct Chosen {
        let link: Uplink
        let addresses: [IPAddress]
        var name: String { link.name }
    }

    init(_ options: FlannelOptions, _ log: ProgramLog) {
        self.options = options
        self.log = log
    }

    func choose(_ configuration: FlannelConfiguration, _ network: OwnNetwork) async throws -> Chosen {
        let links = try await network.links(), standard = try await network.defaultLink(configuration.networks[0].family)
        let names = links.map { (name: $0.name, addresses: $0.addresses) }
        let name = try Self.name(names, options, standard: standard)
        guard let link = links.first(where: { $0.name == name }) else {
            throw FlannelConfiguration.Unusable("failed to get default interface: no link leads by default to other machines")
        }
        let asked = [options.publicAddress, options.publicAddress6].compactMap { $0 }
        let said = try asked.map { text in
            guard let address = IPAddress(text) else { throw FlannelConfiguration.Unusable("invalid public IP address: \(text)") }
            return address
        }
        let addresses = try configuration.networks.map { network in
            guard let address = (said + link.addresses).of(network.family) else {
                throw FlannelConfiguration.Unusable(
                    "failed to find \(network.family == .ipv4 ? "IPv4" : "IPv6") address for interface \(name)")
            }
            return address
        }
        return Chosen(link: Uplink(name: link.name, mtu: link.mtu, networks: link.networks), addresses: addresses)
    }

    /// By name or address, by a pattern of either, or that of the default route.
    package static func name(
        _ links: [(name: String, addresses: [IPAddress])], _ options: FlannelOptions, standard: String?
    ) throws -> String {
        for word in options.links {
            if let link = links.first(where: { $0.name == word || $0.addresses.map(\.description).contains(word) }) { return link.name }
        }
        for pattern in options.patterns {
            let expression = try Regex(pattern)
            if let link = links.first(where: { link in
                link.addresses.contains { $0.description.contains(expression) } || link.name.contains(expression)
            }) {
                return link.name
            }
        }
        if let word = options.links.first ?? options.patterns.first {
            throw FlannelConfiguration.Unusable(
                "failed to find interface to use that matches the interfaces and/or regexes provided: \(word)")
        }
        guard let standard else {
            throw FlannelConfiguration.Unusable("failed to get default interface: there is no default route")
        }
        return standard
    }
}
