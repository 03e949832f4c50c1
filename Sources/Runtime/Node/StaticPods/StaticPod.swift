import Model

/// A pod that a file on its node describes. What the API knows of it is its mirror.
/// (k8s.io/kubernetes/pkg/kubelet/config/common.go and pkg/kubelet/pod/mirror_client.go)
package struct StaticPod: Sendable, Hashable {
    /// Tells one content of a file on one node from every other.
    package let hash: String
    package let mirror: JSON

    package static let mirrorAnnotation = "kubernetes.io/config.mirror", sourceAnnotation = "kubernetes.io/config.source"

    package var key: ObjectKey { ObjectKey(mirror["metadata"]["namespace"].string ?? "", mirror["metadata"]["name"].string ?? "") }

    /// `document`: a Pod as the file has it.
    package init(_ document: JSON, file: String, node: String) {
        hash = ShortHash.hex("\(node)\n\(file)\n\(document.text())", digits: 32)
        var pod = document
        pod["status"] = .null
        pod["metadata"]["name"] = .string("\(document["metadata"]["name"].string ?? "")-\(node)")
        if document["metadata"]["namespace"].string?.isEmpty ?? true { pod["metadata"]["namespace"] = "default" }
        let own = ["kubernetes.io/config.hash": hash, Self.mirrorAnnotation: hash, Self.sourceAnnotation: "file"]
        pod["metadata"]["annotations"] = JSON(document["metadata"]["annotations"].stringMap.merging(own) { $1 })
        pod["spec"]["nodeName"] = .string(node)
        // Nothing drives it from its node.
        pod["spec"]["tolerations"] = .array(document["spec"]["tolerations"].items + [["operator": "Exists", "effect": "NoExecute"]])
        mirror = pod
    }

    /// The mirror as it is written: it belongs to the Node.
    package func object(of node: JSON, seen: Timestamp) -> JSON {
        var pod = mirror
        pod["metadata"]["annotations"]["kubernetes.io/config.seen"] = .string(seen.precise)
        pod["metadata"]["ownerReferences"] = [
            [
                "apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"], "uid": node["metadata"]["uid"], "controller": true,
            ]
        ]
        return pod
    }

    /// Whether a mirror says what the file does. Its containers are made of it, so one that was given other images, or a deadline, does
    /// not.
    package func isShown(by pod: Pod) -> Bool {
        func images(_ spec: JSON) -> [JSON] { (spec["initContainers"].items + spec["containers"].items).map { $0["image"] } }
        return pod.annotations[Self.mirrorAnnotation] == hash && images(pod.spec) == images(mirror["spec"])
            && pod.spec["activeDeadlineSeconds"] == mirror["spec"]["activeDeadlineSeconds"]
    }

    /// Whether a pod of the API is a mirror that `node` made.
    package static func isMirror(_ pod: Pod, of node: String) -> Bool {
        pod.nodeName == node && pod.annotations[sourceAnnotation] == "file" && pod.annotations[mirrorAnnotation] != nil
    }
}
