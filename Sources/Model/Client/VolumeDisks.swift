/// The nodes' disks, where volumes that are made on demand lie.
package protocol VolumeDisks: Sendable {
    /// Where a volume of this name is on its node, as the node sees it.
    func path(of volume: String) -> String
    func make(_ volume: String, on node: String) async throws
    /// Deletes all that a volume holds; nothing there is no error.
    func delete(_ volume: PersistentVolume) async throws
}
