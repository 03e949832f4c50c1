import Model

/// The network's text that Calico's manifests have in a ConfigMap, with the words filled in that stand for what only the node knows.
/// (projectcalico/calico cni-plugin/pkg/install)
package struct CalicoConflist: Sendable {
    /// Where a node has its networks' files; with another name in CNI_NET_DIR.
    package static let folder = "/etc/cni/net.d"
    package static let kubeconfig = "calico-kubeconfig"
    /// What a manifest without one has.
    private static let standard = """
        {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [
          {"type": "calico", "datastore_type": "__DATASTORE_TYPE__", "nodename": "__KUBERNETES_NODE_NAME__", "mtu": __CNI_MTU__,
           "ipam": {"type": "calico-ipam"}, "policy": {"type": "k8s"}, "kubernetes": {"kubeconfig": "__KUBECONFIG_FILEPATH__"}},
          {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}]}
        """

    package let name: String
    /// The file that an earlier manifest has left; nil for none.
    package let oldName: String?
    package let text: String

    /// `template`: a file's text, which comes before the environment's.
    package init(_ call: ProgramCall, template: String? = nil, token: String, host: String) throws(ProgramFailure) {
        func variable(_ name: String, _ standard: String) -> String { call.variable(name) ?? standard }
        let folder = variable("CNI_NET_DIR", Self.folder)
        let words = [
            "LOG_LEVEL": variable("LOG_LEVEL", "info"), "LOG_FILE_PATH": variable("LOG_FILE_PATH", "/var/log/calico/cni/cni.log"),
            "LOG_FILE_MAX_SIZE": variable("LOG_FILE_MAX_SIZE", "100"), "LOG_FILE_MAX_AGE": variable("LOG_FILE_MAX_AGE", "30"),
            "LOG_FILE_MAX_COUNT": variable("LOG_FILE_MAX_COUNT", "10"), "DATASTORE_TYPE": variable("DATASTORE_TYPE", "kubernetes"),
            "KUBERNETES_NODE_NAME": variable("KUBERNETES_NODE_NAME", host), "CNI_MTU": variable("CNI_MTU", "1500"),
            "KUBECONFIG_FILEPATH": "\(folder)/\(Self.kubeconfig)", "KUBECONFIG_FILENAME": Self.kubeconfig,
            "KUBERNETES_SERVICE_HOST": variable("KUBERNETES_SERVICE_HOST", ""),
            "KUBERNETES_SERVICE_PORT": variable("KUBERNETES_SERVICE_PORT", ""), "SERVICEACCOUNT_TOKEN": token,
        ]
        var text = template ?? variable("CNI_NETWORK_CONFIG", Self.standard)
        for (word, value) in words { text = text.replacing("__\(word)__", with: value) }
        do { _ = try JSON(parsing: text) } catch { throw ProgramFailure("\(text) is not a valid json object\nerror: \(error)") }
        self.text = text
        name = variable("CNI_CONF_NAME", "10-calico.conflist")
        let old = variable("CNI_OLD_CONF_NAME", "10-calico.conflist")
        oldName = old == name ? nil : old
        for file in [name, old] where file.contains("/") || file.hasPrefix(".") {
            throw ProgramFailure("\"\(file)\" is no file's name in \(folder)")
        }
    }

    /// What the plugin asks the API with; here it is for people, and for the next plugin.
    package static func kubeconfig(server: String, authority: [UInt8], token: String) -> String {
        """
        # Kubeconfig file for Calico CNI plugin.
        apiVersion: v1
        kind: Config
        clusters:
        - name: local
          cluster:
            server: \(server)
            certificate-authority-data: "\(Base64.encode(authority))"
        users:
        - name: calico
          user:
            token: "\(token)"
        contexts:
        - name: calico-context
          context:
            cluster: local
            user: calico
        current-context: calico-context

        """
    }
}
