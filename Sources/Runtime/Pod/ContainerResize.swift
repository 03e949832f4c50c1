import Model

/// A change of a container's resources while it runs. (core/v1 ContainerResizePolicy)
package struct ContainerResize: Sendable {
    /// The resources that differ.
    package let changed: Set<String>
    private let policies: [JSON]

    package init(_ old: Container, _ new: Container) {
        let before = old.json["resources"], after = new.json["resources"]
        changed = Set(["cpu", "memory"].filter { name in ["requests", "limits"].contains { before[$0][name] != after[$0][name] } })
        policies = new.json["resizePolicy"].items
    }

    package var needsRestart: Bool {
        policies.contains { $0["restartPolicy"].string == "RestartContainer" && changed.contains($0["resourceName"].string ?? "") }
    }
}
