import Glibc
import Host
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
        let passwords = credential.map { $0.file(for: reference.registry) } ?? .emptyObject
        let folder = try PullFolder(below: store.places.root, secrets: [passwords.bytes()])
        defer { folder.remove() }
        let configuration = RegistriesConfiguration(try registries(), for: reference)
        var refusals: [String] = [], hint: String?
        for way in configuration.endpoints {
            do { return try pull(reference, by: way, configuration, in: folder, running, tell) } catch {
                if running.isStopped { throw error }
                let words = (error as? RegistryComplaint)?.words(of: reference) ?? (error as? ImageError)?.message ?? "\(error)"
                refusals.append(way == configuration.endpoints.last ? words : "mirror \(way.place): \(words)")
                hint = (error as? RegistryComplaint)?.podHint ?? (error as? ImageError)?.hint
            }
        }
        throw ImageError(refusals.joined(separator: "; "), hint: hint)
    }

    private func pull(
        _ reference: ImageReference, by way: RegistriesConfiguration.Endpoint, _ configuration: RegistriesConfiguration,
        in folder: PullFolder, _ running: RunningProgram, _ tell: (String) -> Void
    ) throws -> PulledImage {
        let pull = try RegistryPull(store: store, access: try RegistryAccess(in: folder, configuration, by: way)) {
            try installing.withLock { _ in
                guard !Skopeo.isThere else { return }
                tell("Installing skopeo, which fetches images from registries, on this machine")
                try install()
            }
        }
        return PulledImage(size: try store.summary(try pull.pull(reference, running: running).image).packedSize)
    }
}
