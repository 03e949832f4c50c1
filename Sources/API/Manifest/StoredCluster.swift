import Model

extension Cluster {
    /// Reads what `json` wrote: the cluster's own file, whose every field is there.
    package init(stored json: JSON) throws {
        let manifests = try Manifest.read(json.text(), file: "cluster.json")
        guard let manifest = manifests.first else { throw ManifestError(file: "cluster.json", line: 1, message: "it is empty") }
        try self.init(manifest)
    }
}
