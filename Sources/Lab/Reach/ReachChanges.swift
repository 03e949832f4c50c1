import API
import Model
import Proxy

/// Which flows policies that are not applied yet would open and close.
package struct ReachChanges {
    package let before: ReachMatrix
    package let after: ReachMatrix

    /// The API's checks apply to the policies as they would when they are applied.
    package init(
        from snapshot: ClusterSnapshot, adding manifests: [Manifest], probes: [ReachMatrix.Probe]? = nil,
        isWanted: (Pod) -> Bool = { $0.namespace != "kube-system" }
    ) async throws {
        var next = snapshot
        for manifest in manifests {
            guard manifest.kind == NetworkPolicy.resource.kind, manifest.apiVersion == NetworkPolicy.resource.apiVersion else {
                throw UserError(
                    "error: \(manifest.file):\(manifest.line): a \(manifest.kind) is no NetworkPolicy",
                    hint: "only policies can be tried out")
            }
            var json = manifest.json
            if json["metadata"]["namespace"].isNull { json["metadata"]["namespace"] = "default" }
            let policy = NetworkPolicy(try APIServer.check(json, cluster: snapshot.cluster))
            next.policies.removeAll { $0.key == policy.key }
            next.policies.append(policy)
        }
        let probes = probes ?? ReachMatrix.declaredProbes(snapshot, isWanted)
        before = ReachMatrix(snapshot, probes: probes, isWanted: isWanted)
        after = ReachMatrix(next, probes: probes, isWanted: isWanted)
    }

    package func text(_ format: MatrixReport.Format) -> String {
        let changes = before.changes(to: after)
        func flow(_ cell: ReachMatrix.Cell) -> String { "\(after.sources[cell.from].name) -> \(after.targets[cell.to].name) \(cell.probe)" }
        if format == .json {
            let flows = changes.map { change -> JSON in
                [
                    "from": .string(after.sources[change.after.from].name), "to": .string(after.targets[change.after.to].name),
                    "probe": .string(change.after.probe.description), "change": .string(change.after.isAllowed ? "opens" : "closes"),
                    "reason": JSON(change.after.isAllowed ? change.before.reason : change.after.reason),
                ]
            }
            return (["apiVersion": "minik.dev/v1", "kind": "ReachChanges", "flows": .array(flows)] as JSON).text(indented: true) + "\n"
        }
        if changes.isEmpty { return "no flow changes\n" }
        let lines = changes.map { change in
            change.after.isAllowed ? "opens   \(flow(change.after))" : "closes  \(flow(change.after))  (\(change.after.reason ?? ""))"
        }
        let opened = changes.filter(\.after.isAllowed).count
        return lines.joined(separator: "\n") + "\n\(opened) flows would open, \(changes.count - opened) would close\n"
    }
}
