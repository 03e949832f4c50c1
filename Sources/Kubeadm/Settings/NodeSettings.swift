import API
import Model

/// What kubeadm is told of one machine as a node. (kubeadm.k8s.io, NodeRegistrationOptions)
struct NodeSettings: Sendable {
    var name = ""
    var criSocket: String
    /// nil: those of its role.
    var taints: [JSON]?
    /// The kubelet's flags, by their names.
    var kubeletArguments: [String: String] = [:]
    /// Checks whose errors are warnings, by their names.
    var ignoredChecks: [String] = []

    static let subdomainRule =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"

    init(_ release: Release) { criSocket = release.criSocket }

    mutating func read(_ json: JSON) {
        if let name = json["name"].string { self.name = name.lowercased() }
        if let socket = json["criSocket"].string { criSocket = socket }
        if let taints = json["taints"].array { self.taints = taints }
        kubeletArguments = ConfigurationFile.arguments(json["kubeletExtraArgs"])
        ignoredChecks = json["ignorePreflightErrors"].items.compactMap(\.string)
    }

    /// What it may not be, on the machine of this name.
    func causes(_ hostname: String) -> [String] {
        let here = "nodeRegistration.name: Invalid value: \"\(name)\":"
        guard Names.isSubdomain(name) else {
            return ["\(here) \(Self.subdomainRule)"]
        }
        let override = kubeletArguments["hostname-override"]
        if let other = [name, override].compactMap(\.self).first(where: { $0 != hostname }), !hostname.isEmpty {
            let field = other == name ? here : "nodeRegistration.kubeletExtraArgs: Invalid value: \"hostname-override=\(other)\":"
            return ["\(field) minik's machines are known by their own names, and this one is \(hostname)"]
        }
        do {
            _ = try KubeletOptions(configuration: .null, flags: kubeletArguments)
            return []
        } catch { return ["nodeRegistration.kubeletExtraArgs: \(error)"] }
    }
}
