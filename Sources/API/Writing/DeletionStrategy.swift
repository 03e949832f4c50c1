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

    static let pod = DeletionStrategy(
        gracePeriod: { pod, asked in
            guard !pod["spec"]["nodeName"].isNull, !["Succeeded", "Failed"].contains(pod["status"]["phase"].string) else { return 0 }
            return asked ?? pod["spec"]["terminationGracePeriodSeconds"].int ?? 30
        }, answersWithObject: true)

    static let namespace = DeletionStrategy(lasting: ["default", "kube-system", "kube-public", "kube-node-lease"], isEmptiedFirst: true)
}
