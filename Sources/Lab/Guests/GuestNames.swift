import Model

/// What the nodes, their addresses and the namespace `default` of a lab are called in a cluster that is somebody else's.
package struct GuestNames: Sendable, Hashable {
    /// What stands for `default`: nothing of the lab's, or of its learner's, lies beside what is there.
    package static let namespace = "minik-lab"
    /// On every namespace that the lab has made; its value is the lab's name.
    package static let label = "minik.dev/lab"
    static let security = "pod-security.kubernetes.io/enforce"

    /// The nodes that the lab's stand for, each once.
    package let nodes: [Cluster.NodeSpec]
    /// By the lab's names of nodes.
    package let machines: [String: String]
    private let words: [String: String]

    /// `nodes`: those of the cluster. The lab's control plane is one of theirs where they show one; its workers are workers, in order, and
    /// where there are too few, the last is several of them. `chosen`: which they were when the lab began.
    package init(_ lab: Cluster, _ nodes: [Node], chosen before: [String: String] = [:]) throws {
        let ready = nodes.filter { $0.isReady && !$0.isUnschedulable && $0.internalIP != nil }.sorted { $0.name < $1.name }
        guard let any = ready.last else {
            throw UserError("no node of the cluster is ready and takes pods", hint: "see: kubectl get nodes")
        }
        let controls = ready.filter { $0.labels["node-role.kubernetes.io/control-plane"] != nil }
        let others = ready.filter { node in !controls.contains { $0.name == node.name } }
        let workers = others.isEmpty ? ready : others
        var chosen: [Cluster.NodeSpec] = [], machines: [String: String] = [:], words: [String: String] = [:], number = 0
        for spec in lab.nodes {
            let known = before[spec.name].flatMap { name in nodes.first { $0.name == name } }
            let node = known ?? (spec.isControlPlane ? controls.first ?? any : workers[min(number, workers.count - 1)])
            if !spec.isControlPlane { number += 1 }
            machines[spec.name] = node.name
            words[spec.name] = node.name
            for place in spec.places {
                if let address = node.internalIP(place.family) { words[place.address.description] = address.description }
            }
            guard !chosen.contains(where: { $0.name == node.name }) else { continue }
            let places = IPFamily.allCases.compactMap { family in
                node.internalIP(family).map { NodePlace(address: $0, podCIDR: node.podCIDR ?? spec.podCIDR) }
            }
            chosen.append(
                Cluster.NodeSpec(name: node.name, isControlPlane: spec.isControlPlane, places: places, taints: [], labels: node.labels))
        }
        (self.nodes, self.machines, self.words) = (chosen, machines, words)
    }

    /// What `minik lab start` says of them.
    package var lines: [String] { machines.sorted { $0.key < $1.key }.filter { $0 != $1 }.map { "\($0) is \($1) here" } }

    /// The lab's cluster, of these nodes.
    package func cluster(_ lab: Cluster) -> Cluster {
        var cluster = lab
        cluster.nodes = nodes
        let families = IPFamily.allCases.filter { family in nodes.contains { $0.addresses.of(family) != nil } }
        cluster.networks = families.map { family in lab.networks.first { $0.family == family } ?? ClusterNetworks.standard(family) }
        return cluster
    }

    // MARK: Words

    package func namespace(_ name: String) -> String { name == "default" ? Self.namespace : name }

    /// A text with this cluster's names and addresses, each where it stands as a word, and names of the DNS in the lab's namespace.
    package func text(_ text: String) -> String {
        text.replacing(/[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?/) { found in
            let word = String(found.0)
            return words[word] ?? word.replacing(/^([a-z0-9\-]+)\.default((?:\.svc.*)?)$/) { "\($0.1).\(Self.namespace)\($0.2)" }
        }
    }

    /// A command, which may name the namespace, too.
    package func command(_ text: String) -> String {
        self.text(text).replacing(/(-n|--namespace)([ =])default\b/) { "\($0.1)\($0.2)\(Self.namespace)" }
    }

    package func text(_ text: LabText) -> LabText {
        func own(_ text: String) -> String {
            command(text).replacing(/(namespace|命名空间) default\b/) { "\($0.1) \(Self.namespace)" }
        }
        return LabText(english: own(text.english), chinese: text.chinese.map(own))
    }

    private static let nameLabel = "kubernetes.io/metadata.name"

    /// An object's values; a selector that means the namespace `default` by its name means the lab's.
    package func json(_ json: JSON) -> JSON {
        switch json {
        case .string(let text): return .string(self.text(text))
        case .array(let items): return .array(items.map { self.json($0) })
        case .object(let object):
            var translated = JSON.emptyObject
            for (key, value) in object {
                translated[key] = key == Self.nameLabel && value == "default" ? .string(Self.namespace) : self.json(value)
            }
            return translated
        default: return json
        }
    }
}
