import Model

/// A network as /etc/cni/net.d describes it: a list of plugins that are called one after the other.
/// (containernetworking/cni SPEC.md, section 1)
package struct CNINetwork: Sendable, Hashable {
    package let name: String
    package let version: CNIVersion
    /// Each with its `type`, as it is written.
    package let plugins: [JSON]
    package let disablesCheck: Bool
    package let disablesGC: Bool
    /// The file that it comes from, and what that says.
    package let file: String
    package let text: String

    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package let file: String
        package let reason: String
        package var description: String { "CNI configuration \(file): \(reason)" }
    }

    /// The network of a folder's files: the first by name is it, as for containerd. Nil: there is no file that is meant.
    package static func first(in files: [String: String]) throws(Malformed) -> CNINetwork? {
        guard let (name, text) = files.filter({ isConfiguration($0.key) }).min(by: { $0.key < $1.key }) else { return nil }
        return try CNINetwork(text, file: name)
    }

    private static func isConfiguration(_ name: String) -> Bool {
        [".conflist", ".conf", ".json"].contains { name.hasSuffix($0) }
    }

    /// A list, or a single plugin's configuration, which is a list of one.
    package init(_ text: String, file: String) throws(Malformed) {
        func malformed(_ reason: String) -> Malformed { Malformed(file: file, reason: reason) }
        let json: JSON
        do { json = try JSON(parsing: text) } catch { throw malformed("it is no JSON: \(error)") }
        guard case .object = json else { throw malformed("it is no JSON object") }
        let isList = json["plugins"] != .null || file.hasSuffix(".conflist")
        guard let name = json["name"].string, !name.isEmpty else { throw malformed("it has no \"name\"") }
        guard Self.isName(name) else {
            throw malformed("\"name\" must start with a letter or digit, and hold letters, digits, '_', '.' and '-': \"\(name)\"")
        }
        let plugins = isList ? json["plugins"].items : [json]
        if plugins.isEmpty { throw malformed("\"plugins\" lists none") }
        for (index, plugin) in plugins.enumerated() {
            guard let type = plugin["type"].string, !type.isEmpty else { throw malformed("plugin \(index) has no \"type\"") }
            if type.contains("/") { throw malformed("\"type\" is a program's name, and no path: \"\(type)\"") }
        }
        self.file = file
        self.text = text
        self.name = name
        self.plugins = plugins
        disablesCheck = Self.isTrue(json["disableCheck"])
        disablesGC = Self.isTrue(json["disableGC"])
        version = try Self.version(json, file: file)
    }

    /// The newest of those that the file offers and minik speaks.
    private static func version(_ json: JSON, file: String) throws(Malformed) -> CNIVersion {
        let offered = json["cniVersions"].items.compactMap(\.string) + [json["cniVersion"].string ?? CNIVersion.first.description]
        let known = offered.compactMap { CNIVersion($0) }.filter(CNIVersion.all.contains)
        guard let version = known.max() else {
            throw Malformed(
                file: file,
                reason:
                    "its cniVersion \(offered.joined(separator: ", ")) is none of \(CNIVersion.all.map(\.description).joined(separator: ", "))"
            )
        }
        return version
    }

    /// Some write these as text.
    private static func isTrue(_ value: JSON) -> Bool { value.bool ?? (value.string == "true") }

    static func isName(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        return name.utf8.first.map(isAlphanumeric) == true && name.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    /// What plugin `index` reads on its standard input. `capabilities`: what the pod asks for, of which a plugin is told what it can.
    /// `previous`: what the plugin before it answered, or, at the end of an attachment, what the last one did.
    package func configuration(_ index: Int, capabilities: JSON = .null, previous: JSON? = nil, attachments: JSON? = nil) -> JSON {
        var plugin = plugins[index]
        let can = plugin["capabilities"]
        plugin["capabilities"] = .null
        if case .object(let wanted) = capabilities {
            for (name, value) in wanted where Self.isTrue(can[name]) { plugin["runtimeConfig"][name] = value }
        }
        plugin["name"] = .string(name)
        plugin["cniVersion"] = .string(version.description)
        if let previous { plugin["prevResult"] = previous }
        if let attachments { plugin["cni.dev/valid-attachments"] = attachments }
        return plugin
    }
}
