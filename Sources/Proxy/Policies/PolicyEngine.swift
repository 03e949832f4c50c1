import Model
import Rules

/// The policy table of one node as a value that objects go into and changes come out of.
///
/// The table is made of parts: one for each class of pods (those that the same policies isolate in the same direction), one
/// for each pod of the node. A change of an object touches the parts it is in, and only those are compiled and compared.
package struct PolicyEngine: Sendable {
    private let compiler: PolicyCompiler
    private var peers = PeerIndex()
    private var policies: [String: [ObjectKey: ReadPolicy]] = [:]
    private var clusterPolicies: [ObjectKey: ClusterNetworkPolicy] = [:]
    private var nodes: [String: PolicyNode] = [:]

    private var classes: [PolicyClass: ClassState] = [:]
    private var locals: [ObjectKey: LocalState] = [:]
    private var localsByNamespace: [String: Set<ObjectKey>] = [:]
    private var dirtyLocals: Set<ObjectKey> = []
    private var dirtyClasses: Set<PolicyClass> = []
    /// The classes that a selector's choice goes into.
    private var users: [PeerSelector: Set<PolicyClass>] = [:]
    private var hasBase = false
    /// Something went in since the last `changes` that may deny what was allowed: a policy, or another label. A pod that comes
    /// or goes does not.
    package private(set) var restricts = false

    private struct ClassState {
        var members = 0
        /// An egress rule opens a port by name to everyone, whoever calls a port so.
        var namesPortsOfEveryone = false
        var selectors: [PeerSelector] = []
        var part = Ruleset()
    }

    private struct LocalState {
        var classes: [PolicyClass]
        var part: Ruleset
    }

    package init(node: NodeView) { compiler = PolicyCompiler(node: node) }

    /// Takes in everything at once.
    package init(node: NodeView, _ snapshot: PolicySnapshot) {
        self.init(node: node)
        nodes = snapshot.nodes
        for (name, labels) in snapshot.namespaces { set(namespace: name, labels) }
        for pod in snapshot.pods.values { set(pod) }
        for policy in snapshot.policies.values { set(policy) }
        for policy in snapshot.clusterPolicies.values { set(policy) }
    }

    // MARK: What goes in

    package mutating func set(_ namespace: Namespace) { set(namespace: namespace.name, namespace.labels) }

    /// nil: the namespace is gone.
    package mutating func set(namespace: String, _ labels: [String: String]?) {
        guard peers.namespaces[namespace] != labels else { return }
        restricts = true
        touch(peers.set(namespace: namespace, labels))
        dirtyLocals.formUnion(locals.keys.filter { $0.namespace == namespace })
    }

    package mutating func set(_ pod: PolicyPod) { set(pod.key, pod) }

    /// nil: the pod is gone, or policies do not reach it any more.
    package mutating func set(_ key: ObjectKey, _ pod: PolicyPod?) {
        guard peers.pods[key] != pod else { return }
        if peers.pods[key] != nil, pod != nil { restricts = true }
        touch(peers.set(key, pod))
        if pod?.isLocal == true {
            localsByNamespace[key.namespace, default: []].insert(key)
            dirtyLocals.insert(key)
        } else {
            localsByNamespace[key.namespace]?.remove(key)
            if locals[key] != nil { dirtyLocals.insert(key) }
        }
        // Ports that are open to everyone by name are known from every pod.
        for (isolation, state) in classes where state.namesPortsOfEveryone { dirtyClasses.insert(isolation) }
    }

    package mutating func set(_ policy: NetworkPolicy) { set(policy.key, policy: policy) }

    package mutating func set(_ key: ObjectKey, policy: NetworkPolicy?) {
        guard policies[key.namespace]?[key]?.policy != policy else { return }
        restricts = true
        let before = policies[key.namespace]?[key], after = policy.map(ReadPolicy.init)
        policies[key.namespace, default: [:]][key] = after
        // The pods that it selected or selects, and through them their classes.
        for pod in localPods(key.namespace) where before?.selector.matches(pod.labels) == true || after?.selector.matches(pod.labels) == true {
            dirtyLocals.insert(pod.key)
            dirtyClasses.formUnion((locals[pod.key]?.classes ?? []).filter { $0.policies.contains(key) })
        }
    }

    package mutating func set(_ policy: ClusterNetworkPolicy) { set(policy.key, clusterPolicy: policy) }

    package mutating func set(_ key: ObjectKey, clusterPolicy: ClusterNetworkPolicy?) {
        guard clusterPolicies[key] != clusterPolicy else { return }
        restricts = true
        clusterPolicies[key] = clusterPolicy
        dirtyClasses.formUnion(classes.keys.filter { $0.admin.contains(key) || $0.baseline.contains(key) })
        dirtyLocals.formUnion(peers.pods.values.lazy.filter(\.isLocal).map(\.key))
    }

    package mutating func set(node: String, _ entry: PolicyNode?) {
        guard nodes[node] != entry else { return }
        restricts = true
        nodes[node] = entry
        dirtyClasses.formUnion(classes.keys.filter { !$0.admin.isEmpty || !$0.baseline.isEmpty })
    }

    private func localPods(_ namespace: String) -> [PolicyPod] {
        (localsByNamespace[namespace] ?? []).compactMap { peers.pods[$0] }
    }

    private mutating func touch(_ selectors: [PeerSelector]) {
        for selector in selectors { dirtyClasses.formUnion(users[selector] ?? []) }
    }

    // MARK: What comes out

    package var isDirty: Bool { !hasBase || !dirtyLocals.isEmpty || !dirtyClasses.isEmpty }
    /// True when a policy isolates a pod of this node.
    package var isolatesAnyone: Bool { !classes.isEmpty }

    /// The whole table as it stood after the last `changes`.
    package var ruleset: Ruleset {
        var whole = PolicyCompiler.base()
        for state in classes.values { whole.merge(state.part) }
        for state in locals.values { whole.merge(state.part) }
        return whole
    }

    /// The commands that bring the table from where it was to where what went in wants it.
    package mutating func changes() -> [Change] {
        restricts = false
        let base = PolicyCompiler.base().sets
        var changes: [Change] = []
        if !hasBase { changes += Ruleset.diff(Ruleset(), PolicyCompiler.base()) }
        hasBase = true

        let old = classes
        var parts: [(old: Ruleset, new: Ruleset)] = []
        for key in dirtyLocals {
            let before = locals[key]
            for isolation in before?.classes ?? [] { classes[isolation]?.members -= 1 }
            locals[key] = peers.pods[key].flatMap { $0.isLocal ? local($0) : nil }
            for isolation in locals[key]?.classes ?? [] {
                if classes[isolation] == nil { dirtyClasses.insert(isolation) }
                classes[isolation, default: ClassState()].members += 1
            }
            parts.append((before?.part ?? Ruleset(), locals[key]?.part ?? Ruleset()))
        }
        dirtyLocals = []

        // Chains come before the pods that are sent to them, and go after.
        for isolation in dirtyClasses.sorted(by: { $0.text < $1.text }) {
            guard classes[isolation]?.members ?? 0 > 0 else { continue }
            compile(isolation)
            changes += Ruleset.diff(old[isolation]?.part ?? Ruleset(), classes[isolation]?.part ?? Ruleset())
        }
        dirtyClasses = []
        // All that goes goes first: an address may be another pod's by now.
        changes += parts.flatMap { Ruleset.diff($0.old, Ruleset.common($0.old, $0.new), declared: base) }
        changes += parts.flatMap { Ruleset.diff(Ruleset.common($0.old, $0.new), $0.new, declared: base) }
        for (isolation, state) in classes where state.members == 0 {
            changes += Ruleset.diff(old[isolation]?.part ?? Ruleset(), Ruleset())
            for selector in state.selectors { users[selector]?.remove(isolation) }
            classes[isolation] = nil
        }
        users = users.filter { !$0.value.isEmpty }
        peers.keep(Set(users.keys))
        return changes
    }

    private func local(_ pod: PolicyPod) -> LocalState? {
        var part = Ruleset()
        var isolations: [PolicyClass] = []
        for direction in NetworkPolicy.Direction.allCases {
            guard let isolation = isolation(of: pod, direction) else { continue }
            isolations.append(isolation)
            part.add([.address(pod.address)], ElementData(verdict: .goto(isolation.chain), comment: "\(pod.key)"), to: "isolated-\(direction.rawValue)")
            part.add([.address(pod.address), .address(pod.address)], ElementData(comment: "\(pod.key)"), to: "itself")
        }
        return isolations.isEmpty ? nil : LocalState(classes: isolations, part: part)
    }

    /// The class that a pod belongs to in a direction; nil when nothing isolates it.
    private func isolation(of pod: PolicyPod, _ direction: NetworkPolicy.Direction) -> PolicyClass? {
        let own = (policies[pod.key.namespace] ?? [:]).values.filter { $0.rules[direction] != nil && $0.selector.matches(pod.labels) }
        let admin = clusterPolicies(.admin, direction, of: pod)
        // A namespace's own policies decide for good: the baseline is for pods that none of them isolates.
        let baseline = own.isEmpty ? clusterPolicies(.baseline, direction, of: pod) : []
        guard !(own.isEmpty && admin.isEmpty && baseline.isEmpty) else { return nil }
        let usesNames =
            own.contains { $0.usesNamedPorts }
            || (admin + baseline).contains { $0.rules(direction).contains { $0.usesNamedPorts } }
        return PolicyClass(
            direction: direction, policies: own.map(\.policy.key).sorted(), admin: admin.map(\.key), baseline: baseline.map(\.key),
            // At egress a name is the peer's to resolve; at ingress it is this pod's.
            namedPorts: usesNames && direction == .ingress ? pod.ports : [:])
    }

    /// The cluster's policies of one tier that choose `pod` and have rules in a direction, first in precedence first.
    private func clusterPolicies(_ tier: ClusterNetworkPolicy.Tier, _ direction: NetworkPolicy.Direction, of pod: PolicyPod) -> [ClusterNetworkPolicy] {
        clusterPolicies.values.filter { $0.tier == tier && !$0.rules(direction).isEmpty && peers.matches(PeerSelector($0.subject), pod) }
            // Of equal priorities the name decides: the API leaves it open, a learner should see it stay.
            .sorted { ($0.priority, $0.name) < ($1.priority, $1.name) }
    }

    private mutating func compile(_ isolation: PolicyClass) {
        let own = isolation.policies.compactMap { policies[$0.namespace]?[$0] }
        let admin = isolation.admin.compactMap { clusterPolicies[$0] }, baseline = isolation.baseline.compactMap { clusterPolicies[$0] }
        let selectors =
            own.flatMap { policy in (policy.rules[isolation.direction] ?? []).flatMap { $0.selectors(home: policy.policy.namespace) } }
            + (admin + baseline).flatMap { $0.rules(isolation.direction).flatMap(\.selectors) }
        for selector in classes[isolation]?.selectors ?? [] { users[selector]?.remove(isolation) }
        for selector in selectors { users[selector, default: []].insert(isolation) }
        peers.follow(selectors)
        classes[isolation]?.selectors = selectors
        classes[isolation]?.namesPortsOfEveryone =
            isolation.direction == .egress && own.contains { ($0.rules[.egress] ?? []).contains { $0.peers == nil && $0.usesNamedPorts } }
        classes[isolation]?.part = compiler.compile(isolation, own, admin: admin, baseline: baseline, peers, nodes)
    }
}

/// A NetworkPolicy, read once.
struct ReadPolicy: Sendable {
    let policy: NetworkPolicy
    let selector: LabelSelector
    /// By the directions in which it isolates.
    let rules: [NetworkPolicy.Direction: [NetworkPolicy.Rule]]
    let usesNamedPorts: Bool

    init(_ policy: NetworkPolicy) {
        self.policy = policy
        selector = policy.podSelector
        let directions = policy.directions
        rules = Dictionary(uniqueKeysWithValues: directions.map { ($0, policy.rules($0)) })
        usesNamedPorts = rules.values.contains { $0.contains(where: \.usesNamedPorts) }
    }
}

extension NetworkPolicy.Rule {
    func selectors(home: String) -> [PeerSelector] {
        (peers ?? []).compactMap { if case .pods(let pods, let namespaces) = $0 { PeerSelector(pods: pods, namespaces: namespaces, home: home) } else { nil } }
    }
}

extension ClusterNetworkPolicy.Rule {
    var selectors: [PeerSelector] { peers.compactMap { if case .pods(let choice) = $0 { PeerSelector(choice) } else { nil } } }
}

extension Ruleset {
    /// The elements that two parts have alike.
    static func common(_ a: Ruleset, _ b: Ruleset) -> Ruleset {
        var both = Ruleset()
        for (set, members) in a.elements { both.elements[set] = members.filter { b.elements[set]?[$0.key] == $0.value } }
        return both
    }
}
