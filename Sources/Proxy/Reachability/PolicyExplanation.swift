import Model
import Rules

/// Why the policies on one pod, in one direction, let a packet through or not: read from the policies themselves, rule by rule, so that it
/// says what was missing. The tables say the same; `Journey.agrees` holds the two against each other.
package struct PolicyExplanation: Sendable, Hashable {
    package struct RuleFinding: Sendable, Hashable {
        /// `ingress[0]`
        package let name: String
        package let isPeerMatched: Bool
        package let isPortMatched: Bool
        /// What the rule wants of the peer and of the port.
        package let peers: String
        package let ports: String
        package var isAllowed: Bool { isPeerMatched && isPortMatched }
    }

    package struct PolicyFinding: Sendable, Hashable {
        package let policy: ObjectKey
        package let rules: [RuleFinding]
    }

    /// The first rule of a tier of ClusterNetworkPolicies that the packet matches.
    package struct TierFinding: Sendable, Hashable {
        package let policy: String
        /// `Admin shut ingress[0] (name): Deny`
        package let rule: String
        package let action: ClusterNetworkPolicy.Action
    }

    package enum Decision: Sendable, Hashable {
        /// No policy has a say.
        case open
        /// A rule of a NetworkPolicy lets it through: policy and rule.
        case allowed(String)
        /// None of the NetworkPolicies that isolate the pod does.
        case isolated
        /// NetworkPolicies isolate the pod, but not from its own node.
        case ownNode
        /// A ClusterNetworkPolicy accepts or denies.
        case tier(TierFinding)
    }

    package let pod: ObjectKey
    package let direction: NetworkPolicy.Direction
    /// The packet comes from, or goes to, the pod's own node.
    package let isOwnNode: Bool
    package let admin: TierFinding?
    /// The NetworkPolicies that isolate the pod in this direction.
    package let policies: [PolicyFinding]
    package let baseline: TierFinding?

    package var decision: Decision {
        if let admin, admin.action != .pass { return .tier(admin) }
        // A namespace's own policies decide for good.
        if !policies.isEmpty { return isOwnNode ? .ownNode : allowingRule.map(Decision.allowed) ?? .isolated }
        if let baseline, baseline.action != .pass { return .tier(baseline) }
        return .open
    }

    private var allowingRule: String? {
        for policy in policies { if let rule = policy.rules.first(where: \.isAllowed) { return "\(policy.policy) \(rule.name)" } }
        return nil
    }

    package var isAllowed: Bool {
        switch decision {
        case .open, .allowed, .ownNode: true
        case .isolated: false
        case .tier(let finding): finding.action == .accept
        }
    }

    /// The ClusterNetworkPolicies' rules that left the packet to those who come after.
    package var passes: [TierFinding] {
        let baseline = policies.isEmpty ? baseline : nil
        return [admin, baseline].compactMap { $0 }.filter { $0.action == .pass }
    }

    /// The rule that lets it through.
    package var allowedBy: String? {
        switch decision {
        case .allowed(let rule): rule
        case .tier(let finding) where finding.action == .accept: finding.rule
        default: nil
        }
    }

    /// The ClusterNetworkPolicy that denies it.
    package var deniedBy: TierFinding? { if case .tier(let finding) = decision, finding.action == .deny { finding } else { nil } }
}

extension Journey {
    /// False where policies, read as they are written, say something else than the tables that were compiled from them.
    package func agrees(with explanations: [PolicyExplanation]) -> Bool {
        if isDelivered { return explanations.allSatisfy(\.isAllowed) }
        return stop?.table.name != PolicyCompiler.tableName || !explanations.allSatisfy(\.isAllowed)
    }
}
