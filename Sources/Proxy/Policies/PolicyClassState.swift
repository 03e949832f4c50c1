import Model
import Rules

/// One class of pods: what its policies allow, and what was last told of its part of the table.
struct PolicyClassState: Sendable {
    var isolation: PolicyClass { didSet { naming = nil } }
    /// Its policies by name, as long as it is known.
    private var naming: PolicyClass.Naming?
    /// The pods of this node that are in it.
    var members: Set<ObjectKey> = []
    /// Its chain's name, once it has one. Under another name the whole part is told anew.
    var chain = "" { didSet { isWhole = isWhole || chain != oldValue } }
    /// How often its policies' rules name each selector.
    private(set) var selectors: [PeerSelector: Int] = [:]
    private var tierSelectors: Set<PeerSelector> = []
    private var traffic: AllowedTraffic

    /// The next time its part is told whole, not what differs.
    private var isWhole = true
    private var wasUnlimited = false
    private var toldTiers: [Rule] = []
    private var toldRules: [Rule] = []
    /// What the rules follow from.
    private var toldNames = ""
    private var toldOrigin: String?
    private var toldKinds: Set<AllowedTraffic.Kind> = []

    init(_ isolation: PolicyClass) {
        self.isolation = isolation
        traffic = AllowedTraffic(isolation.family)
    }

    // MARK: What goes in

    /// Counts a policy among its own, and takes its rules in, where the policy chooses all of its pods, so many as there are in `pods`. nil
    /// where it does not, where nothing isolates them yet, or where a class of these policies is there already: `ids` are the classes'.
    mutating func join(
        _ key: ObjectKey, _ policy: ReadPolicy, as id: Int, pods: Int, _ ids: inout [PolicyClass: Int], _ peers: inout PeerIndex
    ) -> [PeerSelector]? {
        guard !isolation.policies.isEmpty, pods == members.count else { return nil }
        // Out of `ids` first: it would keep the list of policies, and adding to a list that two have copies all of it.
        let place = ids.index(forKey: isolation).flatMap { ids.values[$0] == id ? $0 : nil }
        if let place { ids.remove(at: place) }
        let named = naming
        guard let index = isolation.add(key) else {
            if place != nil { ids[isolation] = id }
            return nil
        }
        guard ids[isolation] == nil else {
            isolation.remove(key)
            if place != nil { ids[isolation] = id }
            return nil
        }
        ids[isolation] = id
        if let named, named.isFull, index >= named.count { naming = named }
        return change(policy, isAdded: true, &peers)
    }

    /// Takes in the rules of a policy, or takes them out. `peers` follows what they need from here on. The selectors that they name.
    mutating func change(_ policy: ReadPolicy, isAdded: Bool, _ peers: inout PeerIndex) -> [PeerSelector] {
        let direction = isolation.direction, namespace = policy.policy.namespace
        var all: [PeerSelector] = []
        for (index, rule) in (policy.rules[direction] ?? []).enumerated() {
            let used = AllowedTraffic.selectors(rule, home: namespace, direction)
            if isAdded { for selector in used { peers.follow(selector) } }
            traffic.change(
                rule, isAdded: isAdded, origin: "\(policy.policy.key) \(direction.rawValue)[\(index)]", namespace: namespace,
                isolation.namedPorts, direction,
                peers)
            for selector in used { count(selector, isAdded ? 1 : -1) }
            all += used
        }
        return all
    }

    /// Takes in what a policy of the cluster names, or takes it out.
    mutating func change(_ policy: ClusterNetworkPolicy, isAdded: Bool, _ peers: inout PeerIndex) -> [PeerSelector] {
        let used = policy.selectors(isolation.direction)
        for selector in used {
            if isAdded { peers.follow(selector) }
            count(selector, isAdded ? 1 : -1)
            tierSelectors.insert(selector)
        }
        isWhole = true
        return used
    }

    private mutating func count(_ selector: PeerSelector, _ difference: Int) {
        let count = (selectors[selector] ?? 0) + difference
        selectors[selector] = count == 0 ? nil : count
    }

    mutating func change(_ choice: PeerIndex.Choice) {
        traffic.change(choice)
        if tierSelectors.contains(choice.selector) { isWhole = true }
    }

    /// The nodes that the cluster's policies may name are others.
    mutating func changeNodes() { isWhole = true }

    // MARK: What comes out

    /// What becomes of the class' part of the table; nil: nothing.
    mutating func part(admin: [ClusterNetworkPolicy], baseline: [ClusterNetworkPolicy], _ peers: PeerIndex, _ nodes: [String: PolicyNode])
        -> PartChange?
    {
        let isUnlimited = traffic.everything != nil
        if isWhole || isUnlimited != wasUnlimited {
            (isWhole, wasUnlimited) = (false, isUnlimited)
            return .whole(whole(admin, baseline, peers, nodes))
        }
        let patch = isUnlimited || isolation.policies.isEmpty ? rulesPatch() : elementsPatch()
        return patch.isEmpty ? nil : .patch(patch)
    }

    private mutating func whole(
        _ admin: [ClusterNetworkPolicy], _ baseline: [ClusterNetworkPolicy], _ peers: PeerIndex, _ nodes: [String: PolicyNode]
    ) -> Ruleset {
        var rules = Ruleset()
        toldTiers = PolicyCompiler.tier("admin", admin, isolation, chain, peers, nodes, to: &rules)
        if isolation.policies.isEmpty { toldTiers += PolicyCompiler.tier("baseline", baseline, isolation, chain, peers, nodes, to: &rules) }
        if isolation.judgesWayToNode { rules.chains[PolicyCompiler.name(chain, "node")] = Chain(toldTiers) }
        toldKinds = isolation.policies.isEmpty || wasUnlimited ? [] : traffic.kinds
        let elements = toldKinds.isEmpty ? [:] : traffic.elements()
        for kind in toldKinds {
            let set = PolicyCompiler.name(chain, kind.rawValue)
            rules.sets[set] = PolicyCompiler.set(kind, isolation)
            rules.elements[set] = elements[kind]?.mapValues { ElementData(comment: $0) }
        }
        (toldNames, toldOrigin) = (names(), traffic.everything)
        toldRules = PolicyCompiler.rules(isolation, chain, names: toldNames, everything: toldOrigin, toldKinds)
        rules.chains[chain] = Chain(toldTiers + toldRules)
        return rules
    }

    private mutating func names() -> String {
        let naming = naming ?? isolation.naming
        self.naming = naming
        return naming.text
    }

    private mutating func rulesPatch(_ kinds: Set<AllowedTraffic.Kind> = []) -> RulesetPatch {
        var patch = RulesetPatch()
        let names = names(), origin = traffic.everything
        if names == toldNames, origin == toldOrigin, kinds == toldKinds { return patch }
        (toldNames, toldOrigin, toldKinds) = (names, origin, kinds)
        toldRules = PolicyCompiler.rules(isolation, chain, names: names, everything: origin, kinds)
        patch.chains.updateValue(Chain(toldTiers + toldRules), forKey: chain)
        return patch
    }

    private mutating func elementsPatch() -> RulesetPatch {
        let kinds = traffic.kinds, before = toldKinds
        var patch = rulesPatch(kinds)
        for (kind, members) in traffic.changes() {
            patch.elements[PolicyCompiler.name(chain, kind.rawValue)] = members.mapValues { $0.map { ElementData(comment: $0) } }
        }
        for kind in kinds.symmetricDifference(before) {
            let set = kinds.contains(kind) ? PolicyCompiler.set(kind, isolation) : nil
            patch.sets.updateValue(set, forKey: PolicyCompiler.name(chain, kind.rawValue))
        }
        return patch
    }
}
