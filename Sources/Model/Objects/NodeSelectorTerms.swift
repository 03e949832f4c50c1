/// The terms by which pods and volumes say on which nodes they can be: any of them, all that it asks for. (core/v1 NodeSelector)
package enum NodeSelectorTerms {
    package static func match(_ selector: JSON, _ node: Node) -> Bool {
        selector["nodeSelectorTerms"].items.contains { matches($0, node) }
    }

    /// A term without any requirement selects nothing.
    package static func matches(_ term: JSON, _ node: Node) -> Bool {
        let fields = LabelSelector(["matchExpressions": term["matchFields"]])
        guard !term["matchExpressions"].items.isEmpty || !fields.requirements.isEmpty else { return false }
        return LabelSelector(["matchExpressions": term["matchExpressions"]]).matches(node.labels)
            && fields.matches(["metadata.name": node.name])
    }
}

extension PersistentVolume {
    /// Whether a node can reach the volume.
    package func isReachable(from node: Node) -> Bool {
        let required = spec["nodeAffinity"]["required"]
        return required.isNull || NodeSelectorTerms.match(required, node)
    }
}
