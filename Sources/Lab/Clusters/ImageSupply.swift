import Model

/// Who brings the images that a Cluster document names onto this machine.
package protocol ImageSupply: Sendable {
    /// Takes in an archive, which is a whole path; or pulls an image, unless it is there.
    func bring(_ entry: String, _ registries: [Cluster.Registry], progress: @escaping @Sendable (String) -> Void) async throws
}
