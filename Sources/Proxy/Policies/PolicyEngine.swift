import Model
import Rules

/// A part of the policy table: the elements of a class, by its name, or a pod's.
package enum PolicyPart: Hashable, Sendable {
    case isolation(String)
    case pod(ObjectKey)
}

/// The policy table of one node as a value that objects go into and parts come out of.
///
/// The table is made of parts: one for each class of pods (those that the same policies isolate in the same direction), one
/// for each pod of the node. A change of an object touches the parts it is in, and of those what differs: a policy that joins
/// those of a class adds its elements to the class', however many policies and pods there are.
///
/// A class is named by its pods, not by its policies: its name, and the number that follows from it, stay when policies come and go.
package struct PolicyEngine: Sendable {
    private typealias ClassID = Int

    private let compiler: PolicyCompiler
    private var peers = PeerIndex()
    private var policies: [String: [ObjectKey: ReadPolicy]] = [:]
    private var clusterPolicies: [ObjectKey: ClusterNetworkPolicy] = [:]
    private var nodes: [String: PolicyNode] = [:]

    private var classes: [ClassID: PolicyClassState] = [:]
    private var ids: [PolicyClass: ClassID] = [:]
    /// The classes that count a policy among theirs; what it allows is in their traffic.
    private var classesByPolicy: [ObjectKey: Set<ClassID>] = [:]
    private var nextID = 0
    /// The classes' numbers in the table.
    private var numbers: Set<UInt32> = []
    private var locals: [ObjectKey: LocalState] = [:]
    private var localsByNamespace: [String: Set<ObjectKey>] = [:]
    /// The policies of its namespace that choose each pod of the node.
    private var choosing: [ObjectKey: Set<ObjectKey>] = [:]
    private var dirtyLocals: Set<ObjectKey> = []
    private var dirtyClasses: Set<ClassID> = []
    /// The classes that a selector's choice goes into.
    private var users: [PeerSelector: Set<ClassID>] = [:]
    /// Something went in since the last `changedParts` that may deny what was allowed: a policy that isolates or says something else, or
    /// another label. A pod that comes or goes does not, nor does a policy that allows more to pods that are isolated.
    package private(set) var restricts = false

    /// The class that a pod is in by direction.
    private struct ClassIDs {
        private var ingress: ClassID?, egress: ClassID?

        subscript(_ direction: NetworkPolicy.Direction) -> ClassID? {
            get { direction == .ingress ? ingress : egress }
            set { if direction == .ingress { ingress = newValue } else { egress = newValue } }
        }
        var all: [ClassID] { [ingress, egress].compactMap { $0 } }
    }

    private struct LocalState {
        var classes: ClassIDs
        /// What its classes are named by, where no other member comes before it.
        var label: String
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
        take(peers.set(namespace: namespace, labels))
        // The cluster's policies choose by namespace, too.
        if !clusterPolicies.isEmpty { dirtyLocals.formUnion(localsByNamespace[namespace] ?? []) }
    }

    package mutating func set(_ pod: PolicyPod) { set(pod.key, pod) }

    /// nil: the pod is gone, or policies do not reach it any more.
    package mutating func set(_ key: ObjectKey, _ pod: PolicyPod?) {
        let pod = pod.flatMap { $0.address.family == compiler.node.family ? $0 : nil }
        guard peers.pods[key] != pod else { return }
        if peers.pods[key] != nil, pod != nil { restricts = true }
        take(peers.set(key, pod))
        choosing[key] = nil
        if let pod, pod.isLocal {
            choosing[key] = Set((policies[key.namespace] ?? [:]).lazy.filter { $0.value.selector.matches(pod.labels) }.map(\.key))
            localsByNamespace[key.namespace, default: []].insert(key)
            dirtyLocals.insert(key)
        } else {
            localsByNamespace[key.namespace]?.remove(key)
            if locals[key] != nil { dirtyLocals.insert(key) }
        }
    }

    package mutating func set(_ policy: NetworkPolicy) { set(policy.key, policy: policy) }

    package mutating func set(_ key: ObjectKey, policy: NetworkPolicy?) {
        let before = policies[key.namespace]?[key]
        guard before?.policy != policy else { return }
        let after = policy.map(ReadPolicy.init)
        policies[key.namespace, default: [:]][key] = after
        for id in classesByPolicy[key] ?? [] {
            if let before { change(id, before, isAdded: false) }
            if let after { change(id, after, isAdded: true) }
        }
        if let before, let after, before.hasScope(of: after) {
            restricts = true
            return
        }
        // The pods that it selected or selects, and through them their classes.
        var chosen: [ObjectKey] = [], concerned: [ObjectKey] = []
        for pod in localPods(key.namespace) {
            let isChosen = after?.selector.matches(pod.labels) == true
            guard isChosen || choosing[pod.key]?.contains(key) == true else { continue }
            concerned.append(pod.key)
            if isChosen {
                choosing[pod.key, default: []].insert(key)
                chosen.append(pod.key)
            } else {
                choosing[pod.key]?.remove(key)
            }
        }
        switch (before, after) {
        case (nil, let after?): for (direction, _) in after.rules { join(key, after, chosen, direction) }
        case (let before?, nil): leave(key, before)
        default:
            restricts = true
            dirtyLocals.formUnion(concerned)
        }
    }

    package mutating func set(_ policy: ClusterNetworkPolicy) { set(policy.key, clusterPolicy: policy) }

    package mutating func set(_ key: ObjectKey, clusterPolicy: ClusterNetworkPolicy?) {
        let before = clusterPolicies[key]
        guard before != clusterPolicy else { return }
        restricts = true
        clusterPolicies[key] = clusterPolicy
        for id in ids(where: { $0.admin.contains(key) || $0.baseline.contains(key) }) {
            if let before { change(id, before, isAdded: false) }
            if let clusterPolicy { change(id, clusterPolicy, isAdded: true) }
        }
        dirtyLocals.formUnion(localsByNamespace.values.joined())
    }

    package mutating func set(node: String, _ entry: PolicyNode?) {
        guard nodes[node] != entry else { return }
        restricts = true
        nodes[node] = entry
        for id in ids(where: { !$0.admin.isEmpty || !$0.baseline.isEmpty }) {
            classes[id]?.changeNodes()
            dirtyClasses.insert(id)
        }
    }

    private func ids(where isMeant: (PolicyClass) -> Bool) -> [ClassID] { ids.filter { isMeant($0.key) }.map(\.value) }

    private func localPods(_ namespace: String) -> [PolicyPod] {
        (localsByNamespace[namespace] ?? []).compactMap { peers.pods[$0] }
    }

    private mutating func take(_ choices: [PeerIndex.Choice]) {
        for choice in choices {
            for id in users[choice.selector] ?? [] {
                classes[id]?.change(choice)
                dirtyClasses.insert(id)
            }
        }
    }

    // MARK: Policies and classes

    private mutating func change(_ id: ClassID, _ policy: ReadPolicy, isAdded: Bool) {
        guard let used = classes[id]?.change(policy, isAdded: isAdded, &peers) else { return }
        use(used, id, isAdded: isAdded)
    }

    private mutating func change(_ id: ClassID, _ policy: ClusterNetworkPolicy, isAdded: Bool) {
        guard let used = classes[id]?.change(policy, isAdded: isAdded, &peers) else { return }
        use(used, id, isAdded: isAdded)
    }

    /// A class may have begun, or ceased, to use selectors.
    private mutating func use(_ selectors: [PeerSelector], _ id: ClassID, isAdded: Bool) {
        dirtyClasses.insert(id)
        for selector in selectors {
            if isAdded || classes[id]?.selectors[selector] != nil { users[selector, default: []].insert(id) } else { forget(selector, id) }
        }
    }

    private mutating func forget(_ selector: PeerSelector, _ id: ClassID) {
        users[selector]?.remove(id)
        guard users[selector]?.isEmpty ?? true else { return }
        users[selector] = nil
        peers.forget(selector)
    }

    /// A policy that is new: a class whose pods it chooses all, and that policies isolate already, has one policy more and allows more.
    /// Other pods are looked at again.
    private mutating func join(_ key: ObjectKey, _ policy: ReadPolicy, _ chosen: [ObjectKey], _ direction: NetworkPolicy.Direction) {
        var joining: [ClassID: Int] = [:], others: [ObjectKey] = []
        for pod in chosen {
            let id = dirtyLocals.contains(pod) ? nil : locals[pod]?.classes[direction]
            if let id { joining[id, default: 0] += 1 } else { others.append(pod) }
        }
        for (id, count) in joining {
            let isNamed =
                policy.usesNamedPorts && direction == .ingress && !(classes[id].map { usesNamedPorts($0.isolation) } ?? false)
            guard !isNamed, let used = classes[id]?.join(key, policy, as: id, pods: count, &ids, &peers) else {
                others += chosen.filter { locals[$0]?.classes[direction] == id }
                continue
            }
            classesByPolicy[key, default: []].insert(id)
            use(used, id, isAdded: true)
        }
        if !others.isEmpty { look(at: others) }
    }

    /// A policy that is gone, and what it allowed with it: a class that has others goes on with those. Other pods are looked at again.
    private mutating func leave(_ key: ObjectKey, _ policy: ReadPolicy) {
        restricts = true
        for id in classesByPolicy[key] ?? [] {
            guard let isolation = classes[id]?.isolation, let members = classes[id]?.members else { continue }
            let less = isolation.without(key), isNamed = policy.usesNamedPorts && isolation.direction == .ingress
            guard !isNamed, !less.policies.isEmpty, ids[less] == nil, dirtyLocals.isDisjoint(with: members) else {
                dirtyLocals.formUnion(members)
                continue
            }
            rename(id, less)
            classesByPolicy[key]?.remove(id)
        }
        if classesByPolicy[key]?.isEmpty ?? false { classesByPolicy[key] = nil }
    }

    private mutating func look(at pods: [ObjectKey]) {
        restricts = true
        dirtyLocals.formUnion(pods)
    }

    private mutating func rename(_ id: ClassID, _ isolation: PolicyClass) {
        if let old = classes[id]?.isolation, ids[old] == id { ids[old] = nil }
        classes[id]?.isolation = isolation
        ids[isolation] = id
    }

    private func usesNamedPorts(_ isolation: PolicyClass) -> Bool {
        isolation.policies.contains { policies[$0.namespace]?[$0]?.usesNamedPorts ?? false }
            || (isolation.admin + isolation.baseline).contains {
                clusterPolicies[$0]?.rules(isolation.direction).contains { $0.usesNamedPorts } ?? false
            }
    }

    // MARK: What comes out

    package var isDirty: Bool { !dirtyLocals.isEmpty || !dirtyClasses.isEmpty }

    /// The pods that some parts are about, by their addresses.
    func pods(of parts: Set<PolicyPart>) -> [IPAddress: ObjectKey] {
        var pods: Set<ObjectKey> = []
        for part in parts { if case .pod(let key) = part { pods.insert(key) } }
        for state in classes.values where parts.contains(.isolation(state.name)) { pods.formUnion(state.members) }
        return Dictionary(pods.compactMap { key in peers.pods[key].map { ($0.address, key) } }) { first, _ in first }
    }

    /// The parts that decide over pods.
    func deciding(over pods: Set<ObjectKey>) -> Set<PolicyPart> {
        var deciding = Set(pods.map(PolicyPart.pod))
        for id in pods.flatMap({ locals[$0]?.classes.all ?? [] }) {
            if let name = classes[id]?.name { deciding.insert(.isolation(name)) }
        }
        return deciding
    }

    /// What becomes of the table's parts by what went in; a whole one that is empty goes.
    package mutating func changedParts() -> [PolicyPart: PartChange] {
        restricts = false
        var parts: [PolicyPart: PartChange] = [:], moved = dirtyLocals, touched: Set<ClassID> = []
        for key in dirtyLocals { touched.formUnion(settle(key)) }
        // Who goes leaves its name to whoever has its pods now.
        var renamed: [(id: ClassID, name: String)] = []
        for id in touched {
            guard let state = classes[id] else { continue }
            let name = state.members.compactMap { locals[$0]?.label }.min().map(state.isolation.name)
            if name == state.name { continue }
            if !state.name.isEmpty {
                parts[.isolation(state.name)] = .whole(Ruleset())
                numbers.remove(state.number)
            }
            if let name { renamed.append((id, name)) } else { remove(id) }
        }
        for (id, name) in renamed {
            let number = PolicyCompiler.number(name, isTaken: numbers.contains)
            numbers.insert(number)
            classes[id]?.call(name, number)
            dirtyClasses.insert(id)
            moved.formUnion(classes[id]?.members ?? [])
        }
        for id in dirtyClasses {
            guard let isolation = classes[id]?.isolation, let name = classes[id]?.name, !name.isEmpty else { continue }
            let admin = isolation.admin.compactMap { clusterPolicies[$0] }, baseline = isolation.baseline.compactMap { clusterPolicies[$0] }
            if let part = classes[id]?.part(admin: admin, baseline: baseline, peers, nodes) { parts[.isolation(name)] = part }
        }
        for key in moved { parts[.pod(key)] = .whole(elements(key)) }
        (dirtyLocals, dirtyClasses) = ([], [])
        return parts
    }

    private mutating func remove(_ id: ClassID) {
        guard let state = classes.removeValue(forKey: id) else { return }
        if ids[state.isolation] == id { ids[state.isolation] = nil }
        for policy in state.isolation.policies {
            classesByPolicy[policy]?.remove(id)
            if classesByPolicy[policy]?.isEmpty ?? false { classesByPolicy[policy] = nil }
        }
        for selector in state.selectors.keys { forget(selector, id) }
        dirtyClasses.remove(id)
    }

    /// Puts a pod of the node into its classes; those that have it and those that had it.
    private mutating func settle(_ key: ObjectKey) -> Set<ClassID> {
        let before = locals[key]?.classes.all ?? []
        for id in before { classes[id]?.members.remove(key) }
        let pod = peers.pods[key].flatMap { $0.isLocal ? $0 : nil }
        var now = ClassIDs()
        for direction in NetworkPolicy.Direction.allCases {
            guard let pod, let isolation = isolation(of: pod, direction) else { continue }
            let id = ids[isolation] ?? begin(isolation)
            classes[id]?.members.insert(key)
            now[direction] = id
        }
        locals[key] = now.all.isEmpty ? nil : LocalState(classes: now, label: pod.map(Self.label) ?? "")
        return Set(before).union(now.all)
    }

    private mutating func begin(_ isolation: PolicyClass) -> ClassID {
        nextID += 1
        let id = nextID
        classes[id] = PolicyClassState(isolation)
        ids[isolation] = id
        dirtyClasses.insert(id)
        for key in isolation.policies {
            classesByPolicy[key, default: []].insert(id)
            if let policy = policies[key.namespace]?[key] { change(id, policy, isAdded: true) }
        }
        for key in isolation.admin + isolation.baseline {
            if let policy = clusterPolicies[key] { change(id, policy, isAdded: true) }
        }
        return id
    }

    /// Pods of one namespace with the same labels are in the same classes, so that no two classes are named by the same.
    private static func label(_ pod: PolicyPod) -> String {
        "\(pod.key.namespace)/" + pod.labels.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ",")
    }

    private func elements(_ key: ObjectKey) -> Ruleset {
        var part = Ruleset()
        guard let pod = peers.pods[key] else { return part }
        for id in locals[key]?.classes.all ?? [] {
            guard let state = classes[id] else { continue }
            let its = ElementData(data: [.mark(state.number)], comment: "\(key)")
            part.add([.address(pod.address)], its, to: PolicyCompiler.isolated(state.isolation.direction))
            part.add([.address(pod.address), .address(pod.address)], ElementData(comment: "\(key)"), to: "itself")
            if state.isolation.judgesWayToNode { part.add([.address(pod.address)], its, to: PolicyCompiler.isolatedFromNode) }
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
            family: compiler.node.family, direction: direction, policies: own.map(\.policy.key).sorted(), admin: admin.map(\.key),
            baseline: baseline.map(\.key),
            // At egress a name is the peer's to resolve; at ingress it is this pod's.
            namedPorts: usesNames && direction == .ingress ? pod.ports : [:])
    }

    /// The cluster's policies of one tier that choose `pod` and have rules in a direction, first in precedence first.
    private func clusterPolicies(_ tier: ClusterNetworkPolicy.Tier, _ direction: NetworkPolicy.Direction, of pod: PolicyPod)
        -> [ClusterNetworkPolicy]
    {
        if clusterPolicies.isEmpty { return [] }
        return clusterPolicies.values.filter {
            $0.tier == tier && !$0.rules(direction).isEmpty && peers.matches(PeerSelector($0.subject), pod)
        }
        .sorted(by: ClusterNetworkPolicy.precedes)
    }
}
