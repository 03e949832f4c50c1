import Model

/// The claims of a StatefulSet's pods: each pod has its own, by its name, again and again.
/// (k8s.io/kubernetes/pkg/controller/statefulset, StatefulPodControl; KEP-1847 for who owns them)
struct StatefulSetClaims {
    private let owner: JSON
    private var templates: [JSON] { owner["spec"]["volumeClaimTemplates"].items }

    init(_ owner: JSON) { self.owner = owner }

    private static func name(_ template: JSON, _ pod: String) -> String { "\(template["metadata"]["name"].string ?? "")-\(pod)" }

    /// Puts the claims into the pod; a volume of the template that has the name of one gives way.
    func mount(in pod: inout JSON, _ name: String) {
        if templates.isEmpty { return }
        let names = templates.map { $0["metadata"]["name"] }
        let claims: [JSON] = templates.map { template in
            ["name": template["metadata"]["name"], "persistentVolumeClaim": ["claimName": .string(Self.name(template, name))]]
        }
        pod["spec"]["volumes"] = .array(claims + pod["spec"]["volumes"].items.filter { !names.contains($0["name"]) })
    }

    /// Makes the claims of a pod that are missing. False: one is on its way out, and the pod has to wait.
    func make(for pod: String, _ pods: OwnedPods, _ client: any Client) async throws -> Bool {
        for template in templates {
            let name = Self.name(template, pod)
            if let held = try await client.find(PersistentVolumeClaim.self, ObjectKey(owner.metadata.namespace, name)) {
                if held.isBeingDeleted { return false }
                continue
            }
            var metadata: JSON = ["name": .string(name), "namespace": .string(owner.metadata.namespace)]
            metadata["annotations"] = template["metadata"]["annotations"]
            metadata["labels"] = template["metadata"]["labels"]
            for (key, value) in owner["spec"]["selector"]["matchLabels"].stringMap { metadata["labels"][key] = .string(value) }
            let references = self.references(isCondemned: false, pod: .null)
            if !references.isEmpty { metadata["ownerReferences"] = .array(references) }
            let claim: JSON = ["apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]]
            let words = "Claim \(name) Pod \(pod) in StatefulSet \(owner.metadata.name)"
            do { _ = try await client.create(.persistentVolumeClaims, claim) } catch {
                await pods.tell("FailedCreate", "create \(words) failed error: \(error)", type: "Warning", client)
                throw error
            }
            await pods.tell("SuccessfulCreate", "create \(words) success", client)
        }
        return true
    }

    /// Gives the claims of pods the owners with which they are to go.
    func own(_ pods: [Pod], _ client: any Client) async throws {
        if templates.isEmpty { return }
        let first = owner["spec"]["ordinals"]["start"].int ?? 0, end = first + (owner["spec"]["replicas"].int ?? 1)
        for pod in pods {
            guard let ordinal = StatefulSetReconciler.ordinal(pod, of: owner.metadata.name) else { continue }
            let wanted = references(isCondemned: ordinal < first || ordinal >= end, pod: pod.json)
            for template in templates {
                let key = ObjectKey(pod.namespace, Self.name(template, pod.name))
                guard var claim = try await client.find(.persistentVolumeClaims, key), !claim.metadata.isBeingDeleted else { continue }
                let held = claim["metadata"]["ownerReferences"].items
                let others = held.filter { !isOurs($0, pod) }
                guard held.filter({ isOurs($0, pod) }).map({ $0["uid"] }) != wanted.map({ $0["uid"] }) else { continue }
                claim["metadata"]["ownerReferences"] = .array(others + wanted)
                _ = try await client.update(.persistentVolumeClaims, claim)
            }
        }
    }

    private func isOurs(_ reference: JSON, _ pod: Pod) -> Bool {
        switch reference["kind"].string {
        case "StatefulSet": reference["name"].string == owner.metadata.name
        case "Pod": reference["name"].string == pod.name
        default: false
        }
    }

    /// With what a claim goes: the set when that is deleted, a pod that is scaled away, or nothing.
    private func references(isCondemned: Bool, pod: JSON) -> [JSON] {
        let policy = owner["spec"]["persistentVolumeClaimRetentionPolicy"]
        if isCondemned, policy["whenScaled"] == "Delete" {
            return [["apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]]]
        }
        guard policy["whenDeleted"] == "Delete" else { return [] }
        return [
            [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": .string(owner.metadata.name), "uid": .string(owner.metadata.uid),
                "controller": true, "blockOwnerDeletion": true,
            ]
        ]
    }
}
