import Host
import Model
import Runtime

/// Assembles the look-alikes that pods ask for, and has all other images fetched.
package struct LookAlikeService: ImageService {
    private let lookAlikes: LookAlikes
    private let registries: any ImageService

    package init(_ lookAlikes: LookAlikes, otherwise registries: any ImageService) {
        self.lookAlikes = lookAlikes
        self.registries = registries
    }

    package func pull(
        _ reference: ImageReference, as credential: RegistryCredential?, tell: @escaping @Sendable (String) -> Void
    ) async throws -> PulledImage {
        guard try lookAlikes.store.resolve(reference) == nil, let recipe = try lookAlikes.recipe(reference) else {
            return try await registries.pull(reference, as: credential, tell: tell)
        }
        let running = RunningProgram()
        return try await withTaskCancellationHandler {
            try await SmallProgram.blocking { [lookAlikes] in
                let record = try lookAlikes.assemble(recipe, running: running, tell: tell)
                return PulledImage(size: try lookAlikes.store.summary(record).packedSize)
            }
        } onCancel: {
            running.stop()
        }
    }
}
