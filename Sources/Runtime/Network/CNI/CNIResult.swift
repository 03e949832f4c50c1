import Model

/// What a plugin answers: on success the addresses and links that there are now. (containernetworking/cni SPEC.md, section 5)
package struct CNIResult: Sendable, Hashable {
    package let json: JSON

    package init(_ json: JSON) { self.json = json }

    /// The addresses of the pod, in the plugin's order: those of `ips`, or, as it was before 0.3.0, of `ip4` and `ip6`.
    package var addresses: [IPAddress] {
        let listed = json["ips"].items.compactMap { $0["address"].string }
        let old = ["ip4", "ip6"].compactMap { json[$0]["ip"].string }
        return (listed + old).compactMap { text in IPAddress(String(text.prefix { $0 != "/" })) }
    }
}

/// What a plugin says has failed.
package struct CNIError: Error, Hashable, CustomStringConvertible {
    package let plugin: String
    package let network: String
    /// ADD, DEL, CHECK, ...
    package let command: String
    package let code: Int
    package let message: String

    /// In libcni's words, which kubelets show.
    package var description: String {
        "plugin type=\"\(plugin)\" name=\"\(network)\" failed (\(command.lowercased())): \(message)"
    }

    /// `output`: what the plugin wrote to its standard output; `complaints`: to the other one; `exit`: its exit code.
    package init(plugin: String, network: String, command: String, output: String, complaints: String, exit: Int32) {
        self.plugin = plugin
        self.network = network
        self.command = command
        let json = (try? JSON(parsing: output)) ?? .null  // what is no JSON is told as it is
        code = json["code"].int ?? 0
        if let text = json["msg"].string {
            message = text + (json["details"].string.map { $0.isEmpty ? "" : "; \($0)" } ?? "")
        } else if !output.trimmed.isEmpty {
            message = "netplugin failed but error parsing its diagnostic message \"\(output.trimmed)\""
        } else if !complaints.trimmed.isEmpty {
            message = "netplugin failed: \"\(complaints.trimmed)\""
        } else {
            message = "netplugin failed with no error message: exit status \(exit)"
        }
    }

    package init(plugin: String, network: String, command: String, message: String) {
        self.plugin = plugin
        self.network = network
        self.command = command
        code = 0
        self.message = message
    }
}
