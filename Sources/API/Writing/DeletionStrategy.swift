import Model

/// What becomes of a request to delete an object of a kind. (upstream: rest.RESTGracefulDeleteStrategy)
package struct DeletionStrategy: Sendable {
    /// The seconds that an object is given to wind up, when so many were asked for; 0: it goes at once.
    var gracePeriod: @Sendable (_ object: JSON, _ asked: Int?) -> Int = { _, _ in 0 }
    /// Names that stay for ever.
    var lasting: Set<String> = []
    /// A controller removes what is in it first, and then itself, with a grace period of zero.
    var isEmptiedFirst = false
    /// What an object waits for when it is deleted.
    var finalizer: @Sendable (_ object: JSON) -> JSON? = { _ in nil }
    /// A deletion answers with the object, not with a Status.
    var answersWithObject = false
    /// It is told to go, and told of, before it goes, even at once.
    var isGraceful = false
    /// What becomes of dependents when a client says nothing of them, and what the client then hears.
    var propagation = DeleteOptions.Propagation.background
    var warnings: [String] = []

    static let pod = DeletionStrategy(
        gracePeriod: { pod, asked in
            guard !pod["spec"]["nodeName"].isNull, !["Succeeded", "Failed"].contains(pod["status"]["phase"].string) else { return 0 }
            let grace = asked ?? pod["spec"]["terminationGracePeriodSeconds"].int ?? 30
            // Below zero counts as one. (k8s.io/kubernetes/pkg/registry/core/pod, CheckGracefulDelete)
            return grace < 0 ? 1 : grace
        }, answersWithObject: true, isGraceful: true)

    /// (batch/v1 once left a job's pods to themselves, and whoever says nothing still gets that.)
    static let job = DeletionStrategy(
        propagation: .orphan,
        warnings: [
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
        ])

    static let namespace = DeletionStrategy(lasting: ["default", "kube-system", "kube-public", "kube-node-lease"], isEmptiedFirst: true)
}
