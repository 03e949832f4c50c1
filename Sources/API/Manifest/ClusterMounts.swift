import Model

/// What a `Cluster` document says of this machine's directories that nodes see.
struct ClusterMounts {
    /// The document's: a hostPath begins beside it.
    let file: String
    /// Those that the nodes have anyway.
    var after: [Cluster.ExtraMount] = []

    /// What a node could not do without, or has from elsewhere.
    private static let taken = ["/", "/run", "/tmp", "/etc", "/usr", "/root", "/home", "/var/log"]
    /// The kernel's, and minik's, with all that is below.
    private static let whole = ["/proc", "/sys", "/dev", "/var/lib/minik"]

    /// `place`: the field that holds the list.
    func mounts(_ json: JSON, _ place: String, _ fail: (String, String) -> ManifestError) throws -> [Cluster.ExtraMount] {
        var mounts: [Cluster.ExtraMount] = []
        for (index, item) in json.items.enumerated() {
            let path = "\(place).extraMounts[\(index)]", target = item["nodePath"].string ?? ""
            guard let source = item["hostPath"].string, !source.isEmpty else { throw fail("\(path).hostPath", "is empty") }
            guard let nodePath = Self.normal(target) else {
                throw fail("\(path).nodePath", "\"\(target)\" must be an absolute path without \"..\", such as /data")
            }
            guard !Self.taken.contains(nodePath) else { throw fail("\(path).nodePath", "\(nodePath) is the node's own: mount below it") }
            if let place = Self.whole.first(where: { nodePath == $0 || nodePath.hasPrefix("\($0)/") }) {
                throw fail("\(path).nodePath", "\(nodePath) is in \(place), which is not to be mounted on")
            }
            guard !(after + mounts).contains(where: { $0.nodePath == nodePath }) else {
                throw fail("\(path).nodePath", "\(nodePath) is there twice")
            }
            mounts.append(
                Cluster.ExtraMount(
                    hostPath: DocumentPath.whole(source, in: file), nodePath: nodePath, isReadOnly: item["readOnly"].bool ?? false))
        }
        return mounts
    }

    private static func normal(_ path: String) -> String? {
        let parts = path.split(separator: "/").filter { $0 != "." }
        return path.hasPrefix("/") && !parts.contains("..") ? "/" + parts.joined(separator: "/") : nil
    }
}
