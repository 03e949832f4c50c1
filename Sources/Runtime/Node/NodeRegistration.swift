import Model

/// What a kubelet is told about its node by the machine's files.
package struct NodeRegistration: Sendable, Equatable {
    package var labels: [String: String] = [:]
    package var taints: [JSON] = []
    /// Its capacity for pods; that of a kubelet that nobody tells otherwise.
    package var mostPods = 110

    package init() {}
}
