import Model

/// A question of Calico's plugin on a node to the calico-node there, and its answer: a message of JSON each.
///
/// Calico's own plugin asks the API, as whoever its kubeconfig names, and Felix hears of the pod from there. Here it asks the one beside it
/// that follows the API anyway: so a pod's policies hold before its link is there, and the plugin stays small.
package enum CalicoQuestion: Sendable, Hashable {
    /// Which ranges the node has for its pods.
    case ranges
    /// Whether a pod may have its link: its policies hold for these addresses from now on.
    case admit(CalicoWorkload, [IPAddress])
    /// That a pod's link is gone.
    case release(CalicoWorkload)
    /// An address of the pools.
    case assign(handle: String, CalicoWorkload)
    /// That the handle's addresses are free.
    case free(handle: String)
    /// How it is.
    case health

    package var json: JSON {
        switch self {
        case .ranges: ["ask": "ranges"]
        case .admit(let pod, let addresses):
            ["ask": "admit", "pod": pod.json, "addresses": .array(addresses.map { .string($0.description) })]
        case .release(let pod): ["ask": "release", "pod": pod.json]
        case .assign(let handle, let pod): ["ask": "assign", "pod": pod.json, "handle": .string(handle)]
        case .free(let handle): ["ask": "free", "handle": .string(handle)]
        case .health: ["ask": "health"]
        }
    }

    package init?(_ json: JSON) {
        let pod = CalicoWorkload(json["pod"]), handle = json["handle"].string
        switch json["ask"].string {
        case "ranges": self = .ranges
        case "health": self = .health
        case "admit":
            let addresses = json["addresses"].items.compactMap { $0.string.flatMap { IPAddress($0) } }
            guard let pod, addresses.count == json["addresses"].items.count else { return nil }
            self = .admit(pod, addresses)
        case "release":
            guard let pod else { return nil }
            self = .release(pod)
        case "assign":
            guard let pod, let handle else { return nil }
            self = .assign(handle: handle, pod)
        case "free":
            guard let handle else { return nil }
            self = .free(handle: handle)
        default: return nil
        }
    }
}

/// A pod as a plugin is told of it.
package struct CalicoWorkload: Sendable, Hashable {
    package let namespace: String
    package let name: String
    package let uid: String

    package var key: ObjectKey { ObjectKey(namespace, name) }

    package init(namespace: String, name: String, uid: String) { (self.namespace, self.name, self.uid) = (namespace, name, uid) }

    /// nil where it is told of none: it is another orchestrator's container.
    package init?(_ call: CNICall) {
        let told = call.arguments
        guard let namespace = told["K8S_POD_NAMESPACE"], let name = told["K8S_POD_NAME"] else { return nil }
        self.init(namespace: namespace, name: name, uid: told["K8S_POD_UID"] ?? "")
    }

    fileprivate init?(_ json: JSON) {
        guard let namespace = json["namespace"].string, let name = json["name"].string else { return nil }
        self.init(namespace: namespace, name: name, uid: json["uid"].string ?? "")
    }

    fileprivate var json: JSON { ["namespace": .string(namespace), "name": .string(name), "uid": .string(uid)] }
}

/// What calico-node answers.
package struct CalicoAnswer: Sendable, Hashable {
    /// Why it does not do it.
    package var refusal: String?
    package var addresses: [IPAddress] = []
    package var ranges: [IPNetwork] = []
    package var isReady = false

    package init() {}

    package var json: JSON {
        [
            "error": JSON(refusal), "addresses": .array(addresses.map { .string($0.description) }),
            "ranges": .array(ranges.map { .string($0.description) }), "ready": .bool(isReady),
        ]
    }

    package init(_ json: JSON) {
        refusal = json["error"].string
        addresses = json["addresses"].items.compactMap { $0.string.flatMap { IPAddress($0) } }
        ranges = json["ranges"].items.compactMap { $0.string.flatMap { IPNetwork($0) } }
        isReady = json["ready"].bool ?? false
    }
}
