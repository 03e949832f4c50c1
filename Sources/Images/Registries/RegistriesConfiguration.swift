import Model
import Runtime

/// What a cluster's document says of registries, as far as it matters to one image, in the words of registries.conf.
/// (containers-registries.conf(5))
package struct RegistriesConfiguration: Sendable {
    /// Somebody to ask: the registry itself, or a mirror of it.
    package struct Endpoint: Sendable, Hashable {
        package let place: String
        let isInsecure: Bool
    }

    private let host: Endpoint
    private let mirrors: [Endpoint]
    /// Files of authorities whose word counts.
    package let authorities: [String]

    package init(_ registries: [Cluster.Registry], for reference: ImageReference) {
        func entry(_ host: Substring) -> Cluster.Registry? { registries.first { $0.host == host } }
        func endpoint(_ text: String) -> Endpoint {
            let place = Cluster.Registry.place(text), host = place.prefix { $0 != "/" }, entry = entry(host)
            // As docker has it: who is on this machine needs no certificate.
            let isInsecure = text.hasPrefix("http://") || entry?.isInsecure ?? false || entry?.caFile == nil && Self.isLoopback(host)
            return Endpoint(place: place, isInsecure: isInsecure)
        }
        let own = entry(reference.registry[...])
        host = endpoint(reference.registry)
        mirrors = own?.mirrors.map(endpoint) ?? []
        authorities = ([host] + mirrors).compactMap { entry($0.place.prefix { $0 != "/" })?.caFile }
    }

    /// Plain HTTP, and certificates that nobody vouches for, are taken of the registry itself.
    package var isInsecure: Bool { host.isInsecure }

    /// Mirrors are asked in order, then the registry itself. Each by a call of its own: what a mirror answers, or does not, must not keep
    /// the next from being asked.
    package var endpoints: [Endpoint] { mirrors + [host] }

    /// What leads a call to one of them; nil: there is nothing to say.
    package func text(by way: Endpoint) -> String? {
        guard host.isInsecure || !mirrors.isEmpty else { return nil }
        return """
            [[registry]]
            prefix = "\(host.place)"
            location = "\(way.place)"
            insecure = \(way.isInsecure)

            """
    }

    /// localhost, or an address of 127.0.0.0/8, or ::1.
    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority == "[::1]" || authority.hasPrefix("[::1]:") { return true }
        let host = authority.prefix { $0 != ":" }
        return host == "localhost" || IPAddress(String(host), .ipv4)?.isLoopback ?? false
    }
}
