import Glibc
import Model
import Runtime
import Synchronization

/// Fetches images into the store with skopeo, as `minik image pull` does.
package final class RegistryImageService: ImageService {
    private let store: ImageStore
    private let registries: @Sendable () throws -> [Cluster.Registry]
    private let install: @Sendable () throws -> Void
    /// One that installs skopeo is enough.
    private let installing = Mutex(())

    /// `registries`: how they are spoken to, as the cluster says it now. `install` is asked for skopeo when it is not there.
    package init(
        store: ImageStore, registries: @escaping @Sendable () throws -> [Cluster.Registry],
        orElse install: @escaping @Sendable () throws -> Void
    ) {
        self.store = store
        self.registries = registries
        self.install = install
    }

    package func pull(
        _ reference: ImageReference, as credential: RegistryCredential?, tell: @escaping @Sendable (String) -> Void
    ) async throws -> PulledImage {
        let running = RunningProgram()
        return try await withTaskCancellationHandler {
            try await SmallProgram.blocking { try self.pull(reference, credential, running, tell) }
        } onCancel: {
            running.stop()
        }
    }

    private func pull(
        _ reference: ImageReference, _ credential: RegistryCredential?, _ running: RunningProgram, _ tell: (String) -> Void
    ) throws -> PulledImage {
        let folder = try PullFolder(below: store.places.root)
        defer { folder.remove() }
        let access = try RegistryAccess(
            in: folder, RegistriesConfiguration(try registries(), for: reference), credential.map { $0.file(for: reference.registry) })
        let pull = try RegistryPull(store: store, access: access) {
            try installing.withLock { _ in
                guard !Skopeo.isThere else { return }
                tell("Installing skopeo, which fetches images from registries, on this machine")
                try install()
            }
        }
        do {
            let image = try pull.pull(reference, running: running).image
            return PulledImage(size: try store.summary(image).packedSize)
        } catch let error as RegistryComplaint {
            throw ImageError(error.message, hint: error.podHint)
        }
    }
}
