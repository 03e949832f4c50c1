import Model
import YAML

/// The recipes that are in the program.
package enum RecipeBook {
    private static let texts: [(file: String, text: [UInt8])] = [
        ("alpine.yaml", PackageResources.alpine_yaml), ("busybox.yaml", PackageResources.busybox_yaml),
        ("calico-cni.yaml", PackageResources.calico_cni_yaml),
        ("calico-kube-controllers.yaml", PackageResources.calico_kube_controllers_yaml),
        ("calico-node.yaml", PackageResources.calico_node_yaml),
        ("calico-pod2daemon-flexvol.yaml", PackageResources.calico_pod2daemon_flexvol_yaml),
        ("curl.yaml", PackageResources.curl_yaml), ("flannel-cni-plugin.yaml", PackageResources.flannel_cni_plugin_yaml),
        ("flannel.yaml", PackageResources.flannel_yaml), ("http-echo.yaml", PackageResources.http_echo_yaml),
        ("httpd.yaml", PackageResources.httpd_yaml), ("netshoot.yaml", PackageResources.netshoot_yaml),
        ("nginx.yaml", PackageResources.nginx_yaml), ("pause.yaml", PackageResources.pause_yaml),
        ("redis.yaml", PackageResources.redis_yaml), ("registry.yaml", PackageResources.registry_yaml),
    ]
    private static let decoded = Result { try texts.map { try recipe($0.text, file: $0.file) } }

    /// By name.
    package static var recipes: [ImageRecipe] { get throws { try decoded.get() } }

    /// The recipe that a file says.
    package static func recipe(_ text: [UInt8], file: String) throws -> ImageRecipe {
        let documents = try YAMLReader.documents(String(decoding: text, as: UTF8.self), file: file, keepsLines: false)
        guard documents.count == 1 else { throw ImageError("\(file) holds \(documents.count) recipes") }
        return try ImageRecipe(documents[0].json, digest: ContentDigest(of: text))
    }
}
