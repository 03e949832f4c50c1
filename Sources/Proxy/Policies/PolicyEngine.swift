import Model
import Rules

/// A part of the policy table: the chain and sets of a class, by the chain's name, or a pod's elements.
package enum PolicyPart: Hashable, Sendable {
    case isolation(String)
    case pod(ObjectKey)
}

/// The policy table of one node as a value that objects go into and parts come out of.
///
/// The table is made of parts: one for each class of pods (those that the same policies isolate in the same direction), one
/// for each pod of the node. A change of an object touches the parts it is in, and only those are compiled.
///
/// A class' chain is named by its pods, not by its policies: a policy more is a few elements more in sets that stay, and what the policies before
/// it allow is not worked out again.
package struct PolicyEngine: Sendable {
    private let compiler: PolicyCompiler
    private var peers = PeerIndex()
    private var policies: [String: [ObjectKey: ReadPolicy]] = [:]
    private var clusterPolicies: [ObjectKey: ClusterNetworkPolicy] = [:]
    private var nodes: [String: PolicyNode] = [:]

    private var classes: [PolicyClass: ClassState] = [:]
    private var locals: [ObjectKey: LocalState] = [:]
    private var localsByNamespace: [String: Set<ObjectKey>] = [:]
    /// The policies of its namespace that choose each pod of the node.
    private var choosing: [ObjectKey: Set<ObjectKey>] = [:]
    private var dirtyLocals: Set<ObjectKey> = []
    private var dirtyClasses: Set<PolicyClass> = []
    /// The classes that a selector's choice goes into.
    private var users: [PeerSelector: Set<PolicyClass>] = [:]
    /// Something went in since the last `changedParts` that may deny what was allowed: a policy, or another label. A pod that comes
    /// or goes does not.
    package private(set) var restricts = false

    private struct ClassState {
        var members: Set<ObjectKey> = []
        var chain = ""
        /// An egress rule opens a port by name to everyone, whoever calls a port so.
        var namesPortsOfEveryone = false
        var selectors: Set<PeerSelector> = []
        var allowed = AllowedTraffic()
        var part = Ruleset()
    }

    private struct LocalState {
        var classes: [PolicyClass]
        /// What the chains of its classes are named by, where no other member comes before it.
        var label: String
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
        choosing[key] = nil
        if let pod, pod.isLocal {
            choosing[key] = Set((policies[key.namespace] ?? [:]).lazy.filter { $0.value.selector.matches(pod.labels) }.map(\.key))
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
        let after = policy.map(ReadPolicy.init)
        policies[key.namespace, default: [:]][key] = after
        // The pods that it selected or selects, and through them their classes.
        for pod in localPods(key.namespace) {
            let isChosen = after?.selector.matches(pod.labels) == true
            guard isChosen || choosing[pod.key]?.contains(key) == true else { continue }
            if isChosen { choosing[pod.key, default: []].insert(key) } else { choosing[pod.key]?.remove(key) }
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

    package var isDirty: Bool { !dirtyLocals.isEmpty || !dirtyClasses.isEmpty }

    /// The whole table as it stood after the last `changedParts`.
    package var ruleset: Ruleset {
        var whole = PolicyCompiler.base()
        for state in classes.values { whole.merge(state.part) }
        for state in locals.values { whole.merge(state.part) }
        return whole
    }

    /// As much of the table as decides over the pods that some parts of it are about.
    func excerpt(_ parts: Set<PolicyPart>) -> Ruleset {
        var excerpt = PolicyCompiler.base()
        var pods: Set<ObjectKey> = []
        for part in parts { if case .pod(let key) = part { pods.insert(key) } }
        for state in classes.values where parts.contains(.isolation(state.chain)) { pods.formUnion(state.members) }
        for state in pods.compactMap({ locals[$0] }) {
            excerpt.merge(state.part)
            for isolation in state.classes where excerpt.chains[classes[isolation]?.chain ?? ""] == nil { excerpt.merge(classes[isolation]?.part ?? Ruleset()) }
        }
        return excerpt
    }

    /// The parts of the table that what went in makes others than they were; an empty one goes.
    package mutating func changedParts() -> [PolicyPart: Ruleset] {
        restricts = false
        var parts: [PolicyPart: Ruleset] = [:], moved = dirtyLocals, touched: Set<PolicyClass> = []
        for key in dirtyLocals { touched.formUnion(settle(key)) }
        // Who goes leaves its chain, and what it has worked out, to whoever has its pods now.
        var heirlooms: [String: (isolation: PolicyClass, allowed: AllowedTraffic)] = [:]
        var renamed: [PolicyClass] = []
        for isolation in touched {
            guard let state = classes[isolation] else { continue }
            let chain = state.members.compactMap { locals[$0]?.label }.min().map { ServiceTable.chainName(isolation.direction.rawValue, isolation.name($0)) }
            if chain == state.chain { continue }
            if !state.chain.isEmpty {
                parts[.isolation(state.chain)] = Ruleset()
                if !dirtyClasses.contains(isolation) { heirlooms[state.chain] = (isolation, state.allowed) }
            }
            if let chain {
                classes[isolation]?.chain = chain
                renamed.append(isolation)
                moved.formUnion(state.members)
            } else {
                for selector in state.selectors { forget(selector, of: isolation) }
                classes[isolation] = nil
            }
        }
        for isolation in dirtyClasses.union(renamed) {
            guard let chain = classes[isolation]?.chain else { continue }
            compile(isolation, after: heirlooms[chain])
            parts[.isolation(chain)] = classes[isolation]?.part
        }
        for key in moved {
            let part = elements(key)
            locals[key]?.part = part
            parts[.pod(key)] = locals[key]?.part ?? Ruleset()
        }
        (dirtyLocals, dirtyClasses) = ([], [])
        return parts
    }

    private mutating func forget(_ selector: PeerSelector, of isolation: PolicyClass) {
        users[selector]?.remove(isolation)
        guard users[selector]?.isEmpty == true else { return }
        users[selector] = nil
        peers.keep(Set(users.keys))
    }

    /// Puts a pod of the node into its classes; those that have it and those that had it.
    private mutating func settle(_ key: ObjectKey) -> Set<PolicyClass> {
        let before = locals[key]?.classes ?? [], part = locals[key]?.part ?? Ruleset()
        for isolation in before { classes[isolation]?.members.remove(key) }
        let pod = peers.pods[key].flatMap { $0.isLocal ? $0 : nil }
        let now = pod.map { pod in NetworkPolicy.Direction.allCases.compactMap { isolation(of: pod, $0) } } ?? []
        for isolation in now { classes[isolation, default: ClassState()].members.insert(key) }
        locals[key] = now.isEmpty ? nil : LocalState(classes: now, label: pod.map(Self.label) ?? "", part: part)
        return Set(before + now)
    }

    /// Pods of one namespace with the same labels are in the same classes, so that no two classes are named by the same.
    private static func label(_ pod: PolicyPod) -> String {
        "\(pod.key.namespace)/" + pod.labels.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ",")
    }

    private func elements(_ key: ObjectKey) -> Ruleset {
        var part = Ruleset()
        guard let pod = peers.pods[key] else { return part }
        for isolation in locals[key]?.classes ?? [] {
            let chain = classes[isolation]?.chain ?? ""
            part.add([.address(pod.address)], ElementData(verdict: .goto(chain), comment: "\(key)"), to: "isolated-\(isolation.direction.rawValue)")
            part.add([.address(pod.address), .address(pod.address)], ElementData(comment: "\(key)"), to: "itself")
            if isolation.judgesWayToNode {
                part.add([.address(pod.address)], ElementData(verdict: .goto(PolicyCompiler.name(chain, "node")), comment: "\(key)"), to: "isolated-from-node")
            }
        }
        return part
    }

    /// The class that a pod belongs to in a direction; nil when nothing isolates it.
    private func isolation(of pod: PolicyPod, _ direction: NetworkPolicy.Direction) -> PolicyClass? {
        let own = (choosing[pod.key] ?? []).compactMap { policies[pod.key.namespace]?[$0] }.filter { $0.rules[direction] != nil }
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
            .sorted(by: ClusterNetworkPolicy.precedes)
    }

    /// Compiles a class; `heirloom` is what a class worked out that had its chain before.
    private mutating func compile(_ isolation: PolicyClass, after heirloom: (isolation: PolicyClass, allowed: AllowedTraffic)?) {
        let admin = isolation.admin.compactMap { clusterPolicies[$0] }, baseline = isolation.baseline.compactMap { clusterPolicies[$0] }
        let own = isolation.policies.compactMap { policies[$0.namespace]?[$0] }
        var selectors = Set((admin + baseline).flatMap { $0.rules(isolation.direction).flatMap(\.selectors) })
        for policy in own { selectors.formUnion(policy.selectors[isolation.direction] ?? []) }
        let before = classes[isolation]?.selectors ?? []
        for selector in selectors.subtracting(before) { users[selector, default: []].insert(isolation) }
        for selector in before.subtracting(selectors) { forget(selector, of: isolation) }
        peers.follow(selectors)

        var allowed = AllowedTraffic(), more = own
        if let heirloom, isolation.extends(heirloom.isolation) {
            allowed = heirloom.allowed
            let known = Set(heirloom.isolation.policies)
            more = own.filter { !known.contains($0.policy.key) }
        }
        for policy in more {
            for (index, rule) in (policy.rules[isolation.direction] ?? []).enumerated() {
                let origin = "\(policy.policy.key) \(isolation.direction.rawValue)[\(index)]"
                allowed.add(rule, origin: origin, namespace: policy.policy.namespace, isolation.namedPorts, isolation.direction, peers)
            }
        }
        guard var state = classes[isolation] else { return }
        state.selectors = selectors
        state.namesPortsOfEveryone =
            isolation.direction == .egress && own.contains { ($0.rules[.egress] ?? []).contains(where: \.namesPortsOfEveryone) }
        state.part = compiler.compile(isolation, chain: state.chain, allowed, admin: admin, baseline: baseline, peers, nodes)
        state.allowed = allowed
        classes[isolation] = state
    }
}

/// A NetworkPolicy, read once.
struct ReadPolicy: Sendable {
    let policy: NetworkPolicy
    let selector: LabelSelector
    /// By the directions in which it isolates.
    let rules: [NetworkPolicy.Direction: [NetworkPolicy.Rule]]
    let usesNamedPorts: Bool
    let selectors: [NetworkPolicy.Direction: [PeerSelector]]

    init(_ policy: NetworkPolicy) {
        self.policy = policy
        selector = policy.podSelector
        let directions = policy.directions
        rules = Dictionary(uniqueKeysWithValues: directions.map { ($0, policy.rules($0)) })
        usesNamedPorts = rules.values.contains { $0.contains(where: \.usesNamedPorts) }
        selectors = rules.mapValues { $0.flatMap { $0.selectors(home: policy.namespace) } }
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
