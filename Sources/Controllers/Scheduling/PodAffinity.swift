import Model

/// What a pod, and those that have a node already, say of whom they want near.
/// (kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node, "Inter-pod affinity and anti-affinity")
struct PodAffinity {
    /// One term of an affinity: whose labels, in which namespaces, and what counts as near.
    private struct Term {
        let topologyKey: String
        private let selector: LabelSelector?
        private let namespaces: Set<String>

        init(_ json: JSON, of pod: Pod, _ labels: [String: [String: String]]) {
            topologyKey = json["topologyKey"].string ?? ""
            var selector = json["labelSelector"].isNull ? nil : LabelSelector(json["labelSelector"])
            for (field, op) in [("matchLabelKeys", LabelRequirement.Operator.in), ("mismatchLabelKeys", .notIn)] {
                for key in json[field].items.compactMap(\.string) {
                    if let value = pod.labels[key] { selector?.requirements.append(LabelRequirement(key: key, op: op, values: [value])) }
                }
            }
            self.selector = selector
            var chosen = Set(json["namespaces"].items.compactMap(\.string))
            if !json["namespaceSelector"].isNull {
                let wanted = LabelSelector(json["namespaceSelector"])
                chosen.formUnion(labels.filter { wanted.matches($0.value) }.keys)
            } else if chosen.isEmpty {
                chosen = [pod.namespace]
            }
            namespaces = chosen
        }

        func takesIn(_ pod: Pod) -> Bool { namespaces.contains(pod.namespace) && (selector?.matches(pod.labels) ?? false) }
    }

    private let pod: Pod
    private let near: [Term]
    private let far: [Term]
    private let preferences: [(term: Term, weight: Int)]
    /// Where somebody is whom a term takes in: the terms' domains, in their order.
    private let nearDomains: [Set<String>]
    private let farDomains: [Set<String>]
    /// Domains that pods keep to themselves: by topology key.
    private let closed: [String: Set<String>]
    private let isFirst: Bool
    private let attraction: [(topologyKey: String, domain: String, weight: Int)]

    /// `namespaces` are the labels of each.
    init(_ pod: Pod, nodes: [Node], pods: [Pod], namespaces: [String: [String: String]]) {
        func terms(_ pod: Pod, _ kind: String) -> [Term] {
            pod.spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"].items.map { Term($0, of: pod, namespaces) }
        }
        func preferred(_ kind: String, _ sign: Int) -> [(term: Term, weight: Int)] {
            pod.spec["affinity"][kind]["preferredDuringSchedulingIgnoredDuringExecution"].items.map {
                (Term($0["podAffinityTerm"], of: pod, namespaces), sign * ($0["weight"].int ?? 0))
            }
        }
        self.pod = pod
        near = terms(pod, "podAffinity")
        far = terms(pod, "podAntiAffinity")
        preferences = preferred("podAffinity", 1) + preferred("podAntiAffinity", -1)
        let labels = Dictionary(nodes.map { ($0.name, $0.labels) }, uniquingKeysWith: { $1 })
        func domain(_ other: Pod, _ key: String) -> String? { other.nodeName.flatMap { labels[$0]?[key] } }
        func domains(_ term: Term) -> Set<String> { Set(pods.filter(term.takesIn).compactMap { domain($0, term.topologyKey) }) }
        nearDomains = near.map(domains)
        farDomains = far.map(domains)
        // The first of a group that wants to be together finds nobody; it may begin anywhere.
        isFirst = !near.isEmpty && nearDomains.allSatisfy(\.isEmpty) && near.allSatisfy { $0.takesIn(pod) }
        var closed: [String: Set<String>] = [:]
        for other in pods where !other.spec["affinity"]["podAntiAffinity"].isNull {
            for term in terms(other, "podAntiAffinity") where term.takesIn(pod) {
                if let domain = domain(other, term.topologyKey) { closed[term.topologyKey, default: []].insert(domain) }
            }
        }
        self.closed = closed
        attraction = preferences.flatMap { term, weight in
            pods.filter(term.takesIn).compactMap { other in domain(other, term.topologyKey).map { (term.topologyKey, $0, weight) } }
        }
    }

    /// Why the pod does not go to a node, in the scheduler's words.
    func obstacle(_ node: Node) -> Placement.Obstacle? {
        for (term, domains) in zip(near, nearDomains) {
            guard let own = node.labels[term.topologyKey], isFirst || domains.contains(own) else {
                return .init("node(s) didn't match pod affinity rules")
            }
        }
        for (term, domains) in zip(far, farDomains) {
            guard let own = node.labels[term.topologyKey], domains.contains(own) else { continue }
            return .init("node(s) didn't match pod anti-affinity rules", isResolvable: true)
        }
        let isClosed = closed.contains { key, domains in node.labels[key].map(domains.contains) ?? false }
        return isClosed ? .init("node(s) didn't satisfy existing pods anti-affinity rules", isResolvable: true) : nil
    }

    /// How much the pod would like to be there.
    func preference(_ node: Node) -> Int { attraction.reduce(0) { $0 + (node.labels[$1.topologyKey] == $1.domain ? $1.weight : 0) } }
}
