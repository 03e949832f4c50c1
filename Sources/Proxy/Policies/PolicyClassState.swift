import Model
import Rules

/// One class of pods: what its policies allow, and what was last told of its part of the table.
struct PolicyClassState: Sendable {
    var isolation: PolicyClass { didSet { naming = nil } }
    /// Its policies by name, as long as it is known.
    private var naming: PolicyClass.Naming?
    /// The pods of this node that are in it.
    var members: Set<ObjectKey> = []
    /// Its name, once it has one, and the number that stands for it in the table. Under another number the whole part is told anew.
    private(set) var name = ""
    private(set) var number: UInt32 = 0
    /// How often its policies' rules name each selector.
    private(set) var selectors: [PeerSelector: Int] = [:]
    private var tierSelectors: Set<PeerSelector> = []
    private var traffic: AllowedTraffic

    /// The next time its part is told whole, not what differs.
    private var isWhole = true
    private var wasUnlimited = false
    /// What the policies were told to be, and the rule that allows everything.
    private var toldNames = ""
    private var toldOrigin: String?

    init(_ isolation: PolicyClass) {
        self.isolation = isolation
        traffic = AllowedTraffic(isolation.family)
    }

    mutating func call(_ name: String, _ number: UInt32) {
        if (name, number) != (self.name, self.number) { isWhole = true }
        (self.name, self.number) = (name, number)
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
        let patch = patch()
        return patch.isEmpty ? nil : .patch(patch)
    }

    private var direction: NetworkPolicy.Direction { isolation.direction }
    /// What its elements begin with.
    private var key: Value { .mark(number) }

    private mutating func whole(
        _ admin: [ClusterNetworkPolicy], _ baseline: [ClusterNetworkPolicy], _ peers: PeerIndex, _ nodes: [String: PolicyNode]
    ) -> Ruleset {
        var rules = Ruleset()
        // A namespace's own policies decide for good: the baseline is for pods that none of them isolates.
        for (tier, policies) in [(ClusterNetworkPolicy.Tier.admin, admin), (.baseline, isolation.policies.isEmpty ? baseline : [])] {
            var traffic = TieredTraffic(isolation.family)
            for policy in policies { traffic.add(policy, direction, isolation.namedPorts, peers, nodes) }
            let elements = traffic.elements(of: key)
            if !elements.isEmpty { rules.elements[PolicyCompiler.map(tier, direction)] = elements }
        }
        if isolation.policies.isEmpty {
            rules.add([key], ElementData(comment: name), to: PolicyCompiler.watched(direction))
            return rules
        }
        (toldNames, toldOrigin) = (names(), traffic.everything)
        rules.add([key], told, to: PolicyCompiler.isolation(direction))
        if let everything {
            rules.add(everything.key, everything.data, to: PolicyCompiler.set(.ranges, direction))
            return rules
        }
        for (kind, members) in traffic.elements(of: key) {
            rules.elements[PolicyCompiler.set(kind, direction)] = members.mapValues { ElementData(comment: $0) }
        }
        return rules
    }

    private var told: ElementData { ElementData(comment: "isolated for \(direction.rawValue) by \(toldNames)") }

    /// The one element that a rule which allows everything leaves.
    private var everything: (key: [Value], data: ElementData)? {
        guard let toldOrigin else { return nil }
        let all = IPNetwork.all(isolation.family)
        return (
            [key, .addresses(all.network...all.last), .transportProtocols(0...255), .ports(0...65535)], ElementData(comment: toldOrigin)
        )
    }

    private mutating func names() -> String {
        let naming = naming ?? isolation.naming
        self.naming = naming
        return naming.text
    }

    private mutating func patch() -> RulesetPatch {
        var patch = RulesetPatch()
        if isolation.policies.isEmpty { return patch }
        let names = names(), origin = traffic.everything
        if names != toldNames {
            toldNames = names
            patch.elements[PolicyCompiler.isolation(direction)] = [[key]: told]
        }
        if origin != nil {
            guard origin != toldOrigin else { return patch }
            toldOrigin = origin
            if let everything { patch.elements[PolicyCompiler.set(.ranges, direction)] = [everything.key: everything.data] }
            return patch
        }
        for (kind, members) in traffic.changes(of: key) {
            patch.elements[PolicyCompiler.set(kind, direction)] = members.mapValues { $0.map { ElementData(comment: $0) } }
        }
        return patch
    }
}
