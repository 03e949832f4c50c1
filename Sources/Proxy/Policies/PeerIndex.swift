import Model

/// Pods by their own labels and their namespace's, as a policy's peer names them.
struct PeerSelector: Hashable, Sendable {
    let pods: LabelSelector
    /// nil: the pods of `home` alone.
    let namespaces: LabelSelector?
    let home: String

    init(pods: LabelSelector, namespaces: LabelSelector?, home: String) {
        self.pods = pods
        self.namespaces = namespaces
        self.home = namespaces == nil ? home : ""
    }

    init(_ choice: ClusterNetworkPolicy.PodChoice) { self.init(pods: choice.pods, namespaces: choice.namespaces, home: "") }
}

/// The pods of the cluster, and which of them each selector chooses. A change of one pod costs one look at each selector.
struct PeerIndex: Sendable {
    private(set) var pods: [ObjectKey: PolicyPod] = [:]
    private(set) var namespaces: [String: [String: String]] = [:]
    private var chosen: [PeerSelector: [ObjectKey: PolicyPod]] = [:]

    func matches(_ selector: PeerSelector, _ pod: PolicyPod) -> Bool {
        guard selector.pods.matches(pod.labels) else { return false }
        return selector.namespaces.map { $0.matches(namespaces[pod.key.namespace] ?? [:]) } ?? (pod.key.namespace == selector.home)
    }

    /// Remembers what these selectors choose, from now on and through every change.
    mutating func follow(_ selectors: some Sequence<PeerSelector>) {
        for selector in selectors where chosen[selector] == nil { chosen[selector] = pods.filter { matches(selector, $0.value) } }
    }

    /// Forgets every selector but these.
    mutating func keep(_ selectors: Set<PeerSelector>) {
        if chosen.count > selectors.count * 2 + 16 { chosen = chosen.filter { selectors.contains($0.key) } }
    }

    /// The pods that a followed selector chooses.
    func choice(_ selector: PeerSelector) -> some Sequence<PolicyPod> { (chosen[selector] ?? [:]).values }

    /// Takes in a pod, or its end; the followed selectors whose choice is another now.
    mutating func set(_ key: ObjectKey, _ pod: PolicyPod?) -> [PeerSelector] {
        pods[key] = pod
        var changed: [PeerSelector] = []
        for (selector, choice) in chosen {
            let now = pod.flatMap { matches(selector, $0) ? $0 : nil }
            guard choice[key] != now else { continue }
            chosen[selector]?[key] = now
            changed.append(selector)
        }
        return changed
    }

    /// Takes in a namespace's labels, or its end; the followed selectors that look at namespaces.
    mutating func set(namespace: String, _ labels: [String: String]?) -> [PeerSelector] {
        namespaces[namespace] = labels
        let looking = chosen.keys.filter { $0.namespaces != nil }
        for selector in looking { chosen[selector] = pods.filter { matches(selector, $0.value) } }
        return looking
    }
}
