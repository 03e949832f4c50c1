import Model

/// Pods by their own labels and their namespace's, as a policy's peer names them; or by their address, where a peer is a block of addresses
/// and a port has a name that only pods can resolve.
struct PeerSelector: Hashable, Sendable {
    let pods: LabelSelector
    /// nil: the pods of `home` alone.
    let namespaces: LabelSelector?
    let home: String
    /// nil: whatever the address.
    let block: Block?

    struct Block: Hashable, Sendable {
        let cidr: IPNetwork
        let except: [IPNetwork]

        func contains(_ address: IPAddress) -> Bool { cidr.contains(address) && !except.contains { $0.contains(address) } }
    }

    init(pods: LabelSelector, namespaces: LabelSelector?, home: String, block: Block? = nil) {
        self.pods = pods
        self.namespaces = namespaces
        self.home = namespaces == nil ? home : ""
        self.block = block
    }

    init(_ choice: ClusterNetworkPolicy.PodChoice) { self.init(pods: choice.pods, namespaces: choice.namespaces, home: "") }

    /// The pods whose addresses lie in a block.
    init(_ block: Block) { self.init(pods: LabelSelector(matching: [:]), namespaces: LabelSelector(matching: [:]), home: "", block: block) }

    /// Every pod of the cluster.
    static let everyone = PeerSelector(pods: LabelSelector(matching: [:]), namespaces: LabelSelector(matching: [:]), home: "")
}

/// The pods of the cluster, and which of them each selector chooses. A change of one pod costs one look at each selector.
struct PeerIndex: Sendable {
    /// A pod that a selector chose, or chooses now, or both.
    struct Choice {
        let selector: PeerSelector
        let old: PolicyPod?
        let new: PolicyPod?
    }

    private(set) var pods: [ObjectKey: PolicyPod] = [:]
    private(set) var namespaces: [String: [String: String]] = [:]
    private var chosen: [PeerSelector: [ObjectKey: PolicyPod]] = [:]

    func matches(_ selector: PeerSelector, _ pod: PolicyPod) -> Bool {
        guard selector.pods.matches(pod.labels), selector.block?.contains(pod.address) ?? true else { return false }
        return selector.namespaces.map { $0.matches(namespaces[pod.key.namespace] ?? [:]) } ?? (pod.key.namespace == selector.home)
    }

    /// Remembers what this selector chooses, from now on and through every change.
    mutating func follow(_ selector: PeerSelector) {
        if chosen[selector] == nil { chosen[selector] = pods.filter { matches(selector, $0.value) } }
    }

    mutating func forget(_ selector: PeerSelector) { chosen[selector] = nil }

    /// The pods that a followed selector chooses.
    func choice(_ selector: PeerSelector) -> some Sequence<PolicyPod> { (chosen[selector] ?? [:]).values }

    /// Takes in a pod, or its end; what the followed selectors choose otherwise now.
    mutating func set(_ key: ObjectKey, _ pod: PolicyPod?) -> [Choice] {
        if let pod { pods[key] = pod } else { pods.drop(key) }
        return Array(chosen.keys).compactMap { choose($0, key, pod) }
    }

    /// Takes in a namespace's labels, or its end; what the selectors that look at namespaces choose otherwise now.
    mutating func set(namespace: String, _ labels: [String: String]?) -> [Choice] {
        namespaces[namespace] = labels
        let inside = pods.filter { $0.key.namespace == namespace }
        return chosen.keys.filter { !($0.namespaces?.requirements.isEmpty ?? true) }.flatMap { selector in
            inside.compactMap { choose(selector, $0.key, $0.value) }
        }
    }

    private mutating func choose(_ selector: PeerSelector, _ key: ObjectKey, _ pod: PolicyPod?) -> Choice? {
        let now = pod.flatMap { matches(selector, $0) ? $0 : nil }, before = chosen[selector]?[key]
        guard before != now else { return nil }
        if let now { chosen[selector]?[key] = now } else { chosen[selector]?.drop(key) }
        return Choice(selector: selector, old: before, new: now)
    }
}
