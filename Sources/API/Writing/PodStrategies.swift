import Model

/// How a pod is changed other than as a whole. (k8s.io/kubernetes/pkg/registry/core/pod)
extension WriteStrategy {
    /// Its quality of service stays what it was made with, and its owners are not its agent's to say.
    static let podStatus = status.with {
        $0.prepareForUpdate = { wanted, old, kind in
            var pod = try status.prepareForUpdate(wanted, old, kind)
            if pod["status"]["qosClass"].isNull { pod["status"]["qosClass"] = old["status"]["qosClass"] }
            return pod
        }
    }

    static let ephemeralContainers = WriteStrategy(
        ignored: "status",
        prepareForUpdate: { wanted, old, _ in
            var pod = old
            pod["spec"]["ephemeralContainers"] = wanted["spec"]["ephemeralContainers"]
            PodRules.prepare(&pod["spec"])
            return pod
        },
        validateUpdate: { pod, old, _, _ in
            EphemeralContainerValidation.validate(pod["spec"]) + EphemeralContainerValidation.validateUpdate(pod["spec"], old: old["spec"])
        }, isAdmitted: false, isReviewed: true)

    static let resize = WriteStrategy(
        ignored: "status",
        prepareForUpdate: { wanted, old, _ in try PodResize.apply(wanted, to: old) },
        validateUpdate: { pod, _, _, _ in PodValidation.validate(pod["spec"], "spec") })

    /// Gives a pod its node, once; `wanted` is the pod with the node, and the labels and annotations that came with it.
    static let binding = WriteStrategy(
        prepareForUpdate: { wanted, old, _ in
            let name = old["metadata"]["name"].string ?? ""
            func refusal(_ why: String) -> StatusError {
                StatusError(
                    409, .conflict, "Operation cannot be fulfilled on pods/binding \"\(name)\": pod \(name) \(why)",
                    details: ["name": .string(name), "kind": "pods/binding"])
            }
            if !old["metadata"]["deletionTimestamp"].isNull { throw refusal("is being deleted, cannot be assigned to a host") }
            if let node = old["spec"]["nodeName"].string, !node.isEmpty { throw refusal("is already assigned to node \"\(node)\"") }
            if !old["spec"]["schedulingGates"].items.isEmpty { throw refusal("has non-empty .spec.schedulingGates") }
            var pod = old
            pod["spec"]["nodeName"] = wanted["spec"]["nodeName"]
            pod["status"]["conditions"] = wanted["status"]["conditions"]
            pod["status"]["nominatedNodeName"] = .null
            for field in ["annotations", "labels"] { pod["metadata"][field] = wanted["metadata"][field] }
            return pod
        },
        validateUpdate: { pod, _, _, _ in
            let node = pod["spec"]["nodeName"]
            return Names.isSubdomain(node.string ?? "") ? [] : [.invalid("spec.nodeName", node, Names.subdomainMessage)]
        }, isAdmitted: false)
}
