import API
import Model

extension Manifest {
    /// The kind of the document in a cluster of that release.
    func served(by version: KubernetesVersion) throws -> KindDefinition {
        if let kind = KindCatalog(version).kind(apiVersion: apiVersion, kind: kind) { return kind }
        // What an earlier release had is told; for the rest the list of what there is helps.
        let hint =
            RemovedVersions.version(apiVersion: apiVersion, kind: kind).map(\.hint)
            ?? "there are: \(Registry.kinds.map(\.resource.kind).joined(separator: ", "))"
        throw ManifestError(
            file: file, line: line(of: "kind"), message: "no matches for kind \"\(kind)\" in version \"\(apiVersion)\"; \(hint)")
    }
}
