import Model

/// Which nodes reach the control plane's, as the kernel has their plugs in the LAN: a node that is cut off has no API.
package actor NodeUplinks {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let executor = QueueExecutor("uplinks")
    private let home: String
    private let connected: @Sendable () throws -> Set<String>
    private var hasSettled = false
    private var last: (at: ContinuousClock.Instant, nodes: Set<String>)?
    /// How old what is known may be.
    private static let age = Duration.milliseconds(100)

    /// `connected`: the nodes whose frames pass now. `home`: the node that the API is on.
    package init(home: String, connected: @escaping @Sendable () throws -> Set<String>) {
        self.home = home
        self.connected = connected
    }

    /// From here on what stands on the nodes is the daemon's.
    package func settle() { hasSettled = true }

    /// Whether what stands on a node follows the API. It does until the daemon has taken it over: that it was started anew is nothing that
    /// happened to the node.
    package func follows(_ node: String) -> Bool { !hasSettled || reachesHome(node) }

    package func reachesHome(_ node: String) -> Bool { reaches(node, home) }

    /// Whether frames pass between two nodes.
    package func reaches(_ node: String, _ home: String) -> Bool {
        if node == home { return true }
        let now = ContinuousClock.now
        if let last, now - last.at < Self.age { return Self.isJoined(node, home, last.nodes) }
        // A LAN that cannot be looked at just now is being made again, and nobody's link was cut by that.
        guard let nodes = try? connected() else { return true }
        last = (now, nodes)
        return Self.isJoined(node, home, nodes)
    }

    private static func isJoined(_ node: String, _ home: String, _ nodes: Set<String>) -> Bool {
        nodes.contains(node) && nodes.contains(home)
    }
}
