import Model

/// The resources of a pod that runs: what its subresource `resize` may change. (KEP-1287;
/// kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources)
enum PodResize {
    private static let mutable = ["cpu", "memory"]

    /// The pod `old` with the containers' resources that `wanted` has; throws what may not change.
    static func apply(_ wanted: JSON, to old: JSON) throws -> JSON {
        var result = old
        var hasMore = false
        var causes: [StatusError.Cause] = []
        for list in ["initContainers", "containers"] {
            guard let before = old["spec"][list].array, let containers = wanted["spec"][list].array, before.count == containers.count
            else { continue }
            var changed = before
            for index in before.indices {
                let new = containers[index], path = "spec.\(list)[\(index)].resources"
                for half in ["limits", "requests"]
                where mutable.contains(where: { !before[index]["resources"][half][$0].isNull && new["resources"][half][$0].isNull }) {
                    causes.append(.forbidden("\(path).\(half)", "resource \(half) cannot be removed"))
                }
                changed[index]["resources"] = new["resources"]
                changed[index]["resizePolicy"] = new["resizePolicy"]
                if restoring(new["resources"], as: before[index]["resources"]) != before[index]["resources"] { hasMore = true }
            }
            result["spec"][list] = .array(changed)
        }
        // What else the pod says is not looked at. (upstream: dropNonResizeUpdates)
        if hasMore { causes.append(.forbidden("spec", "only cpu and memory resources are mutable")) }
        var classified = result
        PodRules.setQoS(&classified)
        let quality = classified["status"]["qosClass"]
        if quality != old["status"]["qosClass"] {
            causes.append(.invalid("spec", quality, "Pod QOS Class may not change as a result of resizing"))
        }
        if ["Succeeded", "Failed"].contains(old["status"]["phase"].string) {
            causes.append(.forbidden("spec", "cannot resize a pod that has ended"))
        }
        guard causes.isEmpty else { throw StatusError.invalid(.pods, old["metadata"]["name"].string ?? "", causes) }
        return result
    }

    /// `resources` with cpu and memory as they were.
    private static func restoring(_ resources: JSON, as before: JSON) -> JSON {
        var result = resources
        for half in ["limits", "requests"] {
            for name in mutable { result[half][name] = before[half][name] }
            if result[half].object?.isEmpty == true { result[half] = before[half].object?.isEmpty == true ? .emptyObject : .null }
        }
        return result
    }
}
