/// Who fetches images from their registries, one a call. (CRI's ImageService)
package protocol ImageService: Sendable {
    /// Returns when the image is on this machine under its name. `credential`: nil goes as nobody. `tell` hears what else had to be done
    /// for it. A caller that is cancelled wants it no more.
    func pull(_ reference: ImageReference, as credential: RegistryCredential?, tell: @escaping @Sendable (String) -> Void) async throws
        -> PulledImage
}

/// What a registry sent.
package struct PulledImage: Sendable, Hashable {
    /// Bytes, as the registry keeps them.
    package let size: Int

    package init(size: Int) { self.size = size }
}

/// Why none of the ways into a registry led to the image.
package struct ImagePullError: Error, CustomStringConvertible {
    package let description: String

    package init(_ reference: ImageReference, _ reasons: [String]) {
        let reason = reasons.count == 1 ? reasons[0] : "[\(reasons.joined(separator: ", "))]"
        description = "failed to pull and unpack image \"\(reference)\": \(reason)"
    }
}
