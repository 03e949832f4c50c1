import API
import Host
import Model
import Runtime

/// `minik up --dry-run`: what `up` would make and change, found out without doing it.
package struct ClusterPlan {
    private let wish: ClusterStart.Wish
    private let paths: ClusterPaths
    private var client: HTTPClient { HTTPClient(socketPath: paths.apiSocket) }

    package init(_ wish: ClusterStart.Wish) {
        self.wish = wish
        paths = ClusterPaths(cluster: wish.cluster.name)
    }

    /// A line for each thing that would be another one afterwards.
    package func lines() async throws -> [String] {
        guard let stored = try paths.storedCluster() else {
            let cluster = wish.cluster
            let validation = try await Validation.outcome(of: wish.objects, in: cluster)
            guard validation.complaints.isEmpty else { throw UserError(validation.complaints.joined(separator: "\n")) }
            return ["create cluster \(cluster.name): \(cluster.nodes.count) nodes, plugin \(cluster.plugin.rawValue)"]
                + wish.objects.map { "create \(Self.name($0))" }
        }
        var lines: [String] = []
        if wish.hasDocument {
            guard stored.shape == wish.cluster.shape else { throw ClusterStart.anotherShape(stored.name) }
            let changes = Self.changes(from: stored.json, to: wish.cluster.json)
            if !changes.isEmpty { lines.append("change cluster \(stored.name): \(changes.joined(separator: ", "))") }
        }
        guard ProcessIdentity(file: paths.daemonPID) != nil else {
            lines.append("start the daemon of cluster \(stored.name)")
            if !wish.objects.isEmpty { lines.append("apply \(wish.objects.count) objects, which are compared when the daemon runs") }
            return lines
        }
        let namespaces = wish.objects.filter { $0.kind == Resource.namespaces.kind }.compactMap { $0.json["metadata"]["name"].string }
        for object in wish.objects {
            do { if let line = try await line(for: object) { lines.append(line) } } catch let error as StatusError
                where error.reason == .notFound && namespaces.contains(object.json["metadata"]["namespace"].string ?? "")
            {
                // Its namespace is one of those that would be made.
                lines.append("create \(Self.name(object))")
            }
        }
        return lines
    }

    private func line(for manifest: Manifest) async throws -> String? {
        let (result, before, after) = try await Applier(client: client, defaultNamespace: "default").compare(manifest, client)
        switch result {
        case .created: return "create \(Self.name(manifest))"
        case .unchanged: return nil
        case .configured: return "change \(Self.name(manifest)): \(Self.changes(from: before, to: after).joined(separator: ", "))"
        }
    }

    private static func name(_ manifest: Manifest) -> String {
        let name = manifest.json["metadata"]["name"].string ?? "", home = manifest.json["metadata"]["namespace"].string
        let kind = Registry.kind(apiVersion: manifest.apiVersion, kind: manifest.kind)?.printedName ?? manifest.kind
        return "\(kind)/\(name)\(home.map { " in \($0)" } ?? "")"
    }

    /// The paths of the fields that differ, but for those that the API keeps by itself.
    package static func changes(from old: JSON, to new: JSON, at path: String = "") -> [String] {
        if old == new || kept.contains(path) { return [] }
        guard let before = old.object, let after = new.object else { return [path] }
        let keys = before.map(\.0) + after.map(\.0).filter { before[$0] == nil }
        return keys.flatMap { changes(from: old[$0], to: new[$0], at: path.isEmpty ? $0 : "\(path).\($0)") }
    }

    static let kept: Set = [
        "metadata.resourceVersion", "metadata.generation", "metadata.managedFields", "metadata.annotations", "status",
    ]
}
