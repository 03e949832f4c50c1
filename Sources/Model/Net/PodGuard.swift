/// What must hold for a pod before its link is up and its first process runs: its policies, its host ports, the addresses it may use.
package protocol PodGuard: Sendable {
    /// When this returns it holds, in the kernel. Again for a pod that an earlier daemon left running. `addresses`: one of each family that
    /// the pod has, the primary first.
    func admit(_ pod: Pod, addresses: [IPAddress]) async throws
    /// Takes back what stands for this pod, and not what its successor of the same name has got meanwhile.
    func release(_ pod: Pod) async throws
}
