import Model

/// What a `Cluster` document says of images: which there are to be, and how registries are spoken to.
struct ClusterImages {
    /// The document's: paths in it begin beside it.
    let file: String

    func registries(_ json: JSON, _ fail: (String, String) -> ManifestError) throws -> [Cluster.Registry] {
        var registries: [Cluster.Registry] = []
        for (index, item) in json.items.enumerated() {
            let path = "spec.registries[\(index)]", host = item["host"].string ?? ""
            guard Self.isHost(host) else {
                throw fail(
                    "\(path).host", "\"\(host)\" is no HOST or HOST:PORT as images name it, such as docker.io or registry.example:5000")
            }
            guard !registries.contains(where: { $0.host == host }) else { throw fail("\(path).host", "\"\(host)\" is there twice") }
            let mirrors = item["mirrors"].items.compactMap(\.string)
            for (number, mirror) in mirrors.enumerated() {
                let place = Cluster.Registry.place(mirror)
                let parts = place.split(separator: "/", omittingEmptySubsequences: false)
                guard Self.isHost(parts.first.map(String.init) ?? ""), parts.dropFirst().allSatisfy(Self.isWord) else {
                    throw fail("\(path).mirrors[\(number)]", "\"\(mirror)\" is no HOST[:PORT][/PATH], such as mirror.example:5000/hub")
                }
            }
            registries.append(
                Cluster.Registry(
                    host: host, mirrors: mirrors, isInsecure: item["insecure"].bool ?? false, caFile: item["caFile"].string.map(whole)))
        }
        return registries
    }

    func entries(_ json: JSON, _ fail: (String, String) -> ManifestError) throws -> [String] {
        var entries: [String] = []
        for (index, text) in json.items.compactMap(\.string).enumerated() {
            guard !text.isEmpty else { throw fail("spec.images[\(index)]", "is empty: write an image's name, or an archive's path") }
            entries.append(Self.isFile(text) ? whole(text) : text)
        }
        return entries
    }

    /// What an archive is called; everything else is an image's name.
    private static func isFile(_ text: String) -> Bool {
        ["/", "./", "../"].contains { text.hasPrefix($0) }
            || [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"].contains { text.hasSuffix($0) }
    }

    private func whole(_ path: String) -> String { DocumentPath.whole(path, in: file) }

    private static func isHost(_ text: String) -> Bool {
        // IPv6's addresses stand in brackets.
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let port = text[text.index(after: end)...]
            return IPAddress(String(text[..<end].dropFirst()), .ipv6) != nil
                && (port.isEmpty || port.first == ":" && UInt16(port.dropFirst()) != nil)
        }
        let sides = text.split(separator: ":", omittingEmptySubsequences: false)
        return (1...2).contains(sides.count) && isWord(sides[0]) && (sides.count == 1 || UInt16(sides[1]) != nil)
    }

    private static func isWord(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || [0x2D, 0x2E, 0x5F].contains(byte)
            }
    }
}
