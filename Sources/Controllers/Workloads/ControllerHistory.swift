import Model

/// The templates that a DaemonSet or StatefulSet has had, kept as ControllerRevisions for `kubectl rollout undo`.
/// (k8s.io/kubernetes/pkg/controller/history)
struct ControllerHistory {
    let owner: OwnedPods
    let selector: LabelSelector
    let client: any Client
    /// A StatefulSet's pods bear their revision's name, a DaemonSet's its hash.
    var marksByName = false

    static let hashLabel = "controller-revision-hash"

    /// The revision of the present template, made or moved to the front if need be, and all there are, oldest first.
    func current(_ template: JSON) async throws -> (current: JSON, all: [JSON]) {
        var all = try await client.list(.controllerRevisions, namespace: owner.namespace, controller: owner.uid)
            .sorted { ($0["revision"].int ?? 0) < ($1["revision"].int ?? 0) }
        var marked = template
        marked["$patch"] = "replace"
        let data: JSON = ["spec": ["template": marked]]
        let latest = all.last?["revision"].int ?? 0
        // A revision that somebody else wrote may have the largest number there is.
        let next = latest == .max ? latest : latest + 1
        if let index = all.firstIndex(where: { $0["data"] == data }) {
            // A template that returns is the newest again.
            guard all[index]["revision"].int != latest else { return (all[index], all) }
            var moved = all.remove(at: index)
            moved["revision"] = .int(next)
            all.append(try await client.update(.controllerRevisions, moved))
            return (all[all.count - 1], all)
        }
        let hash = ShortHash.podTemplate(template.sorted.text())
        var labels = template["metadata"]["labels"].stringMap
        labels[marksByName ? "controller.kubernetes.io/hash" : Self.hashLabel] = hash
        let made = try await client.create(
            .controllerRevisions,
            [
                "apiVersion": "apps/v1", "kind": "ControllerRevision",
                "metadata": [
                    "name": .string("\(owner.name)-\(hash)"), "namespace": .string(owner.namespace), "labels": JSON(labels),
                    "annotations": owner.owner["metadata"]["annotations"], "ownerReferences": [owner.reference],
                ],
                "data": data, "revision": .int(next),
            ])
        all.append(made)
        return (made, all)
    }

    /// Forgets old revisions that no pod is of, but for the last `limit`.
    func prune(_ all: [JSON], pods: [Pod], current: JSON, limit: Int) async throws {
        let used = Set(pods.compactMap { $0.labels[Self.hashLabel] } + [mark(current)])
        for revision in all.filter({ !used.contains(mark($0)) }).dropLast(limit) {
            try await client.delete(.controllerRevisions, ObjectKey(owner.namespace, revision["metadata"]["name"].string ?? ""))
        }
    }

    /// What the pods of a revision bear as their label.
    func mark(_ revision: JSON) -> String { marksByName ? revision["metadata"]["name"].string ?? "" : Self.hash(revision) }

    static func hash(_ revision: JSON) -> String { revision["metadata"]["labels"][hashLabel].string ?? "" }
}
