import Host
import Model

/// The images of a control plane that the daemon is: of any registry, for people pull them from mirrors.
package struct ControlPlaneImages: ImageSource {
    /// Each image's program.
    static let programs = [
        "kube-apiserver": "/usr/local/bin/kube-apiserver", "kube-controller-manager": "/usr/local/bin/kube-controller-manager",
        "kube-scheduler": "/usr/local/bin/kube-scheduler", "kube-proxy": "/usr/local/bin/kube-proxy", "etcd": "/usr/local/bin/etcd",
        "coredns": "/coredns", "pause": "/pause",
    ]

    private let root: String

    package init(directory: String = ClusterPaths.images) { root = DNSImage(directory: directory).root }

    package func resolve(_ reference: ImageReference) -> Image? {
        let name = reference.repository.split(separator: "/").last.map(String.init) ?? ""
        guard reference.digest == nil, let program = Self.programs[name], name != "etcd" || Self.isKubernetes(reference.tag ?? "") else {
            return nil
        }
        let isEntered = ["coredns", "pause"].contains(name)
        let configuration = ImageConfiguration(entrypoint: isEntered ? [program] : [], command: isEntered ? [] : [program])
        return Image(
            id: "sha256:\(ShortHash.hex("\(name):\(reference.tag ?? "")", digits: 64))", configuration: configuration, layers: [root])
    }

    package func listings() -> [ImageListing] { [] }

    /// Whether a tag is of the form that the project gives its builds of etcd, 3.4.13-0: other etcds are somebody's own.
    private static func isKubernetes(_ tag: String) -> Bool {
        let parts = tag.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && Int(parts[1]) != nil && parts[0].split(separator: ".").allSatisfy { Int($0) != nil }
    }
}
