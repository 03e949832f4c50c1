import Host
import Model

/// Who is let in where, as docker's configuration and secrets of its form say it. (kubernetes pkg/credentialprovider/keyring.go)
package struct DockerKeyring: Sendable {
    /// What Docker Hub is called in such a configuration.
    private static let hub = "index.docker.io"

    /// Host, port and the beginning of a path; what is more exact comes first.
    private var entries: [(place: String, credential: RegistryCredential)] = []

    /// `configurations`: what stands under `auths` in docker's config.json, or in the whole of a .dockercfg.
    package init(_ configurations: [JSON]) {
        for configuration in configurations {
            for (place, entry) in configuration.object ?? JSONObject() {
                if let credential = RegistryCredential(entry) { entries.append((Self.place(place), credential)) }
            }
        }
        // Stable, so that of two secrets for one place the first is tried first.
        entries = entries.enumerated().sorted { a, b in
            a.element.place == b.element.place ? a.offset < b.offset : a.element.place > b.element.place
        }.map(\.element)
    }

    /// docker's own configuration, as a file of this machine has it; empty where there is no such file.
    package init(file: String) throws {
        self.init(Files.exists(file) ? [try JSON(parsing: try Files.read(file))["auths"]] : [])
    }

    /// What to try with this image's registry, in order; none: go as nobody.
    package func lookup(_ reference: ImageReference) -> [RegistryCredential] {
        let image = "\(reference.registry)/\(reference.repository)"
        let found = entries.filter { Self.covers($0.place, image) }.map(\.credential)
        if !found.isEmpty || reference.registry != "docker.io" { return found }
        return entries.filter { $0.place == Self.hub }.map(\.credential)
    }

    /// `https://registry.example/v1/` says no more than `registry.example`.
    private static func place(_ text: String) -> String {
        var place = text[...]
        for scheme in ["https://", "http://"] where place.hasPrefix(scheme) { place = place.dropFirst(scheme.count) }
        let host = place.prefix { $0 != "/" }
        var path = place.dropFirst(host.count)
        for version in ["/v1/", "/v2/"] where path.hasPrefix(version) { path = path.dropFirst(version.count - 1) }
        return path == "/" ? String(host) : String(host + path)
    }

    /// The host's parts match one by one, with `*` and `?` in them; the port is the same; the path begins so.
    private static func covers(_ place: String, _ image: String) -> Bool {
        func split(_ text: String) -> (host: [Substring], port: Substring, path: Substring) {
            let authority = text.prefix { $0 != "/" }, host = authority.prefix { $0 != ":" }
            return (
                host.split(separator: ".", omittingEmptySubsequences: false), authority.dropFirst(host.count),
                text.dropFirst(authority.count)
            )
        }
        let pattern = split(place), target = split(image)
        return pattern.port == target.port && pattern.host.count == target.host.count && target.path.hasPrefix(pattern.path)
            && zip(pattern.host, target.host).allSatisfy { matches(Array($0.utf8)[...], Array($1.utf8)[...]) }
    }

    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == UInt8(ascii: "*") {
            return matches(pattern.dropFirst(), text) || (!text.isEmpty && matches(pattern, text.dropFirst()))
        }
        guard let letter = text.first, first == letter || first == UInt8(ascii: "?") else { return false }
        return matches(pattern.dropFirst(), text.dropFirst())
    }
}
