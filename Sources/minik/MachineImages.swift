import Host
import Images
import Lab
import Model
import Runtime

/// The images of this machine, for whoever needs more of them than there are.
struct MachineImages: ImageSupply {
    let store: ImageStore
    let lookAlikes: LookAlikes

    init() {
        store = ImageStore()
        lookAlikes = LookAlikes(store: store)
    }

    /// Fetches images as a cluster says it, and installs what it takes; minik's own it assembles.
    func service(_ registries: @escaping @Sendable () throws -> [Cluster.Registry]) -> any ImageService {
        let fetched = RegistryImageService(store: store, registries: registries) {
            try DebianPackage.install("skopeo", "to pull images with")
        }
        return LookAlikeService(lookAlikes, otherwise: fetched)
    }

    func bring(_ entry: String, _ registries: [Cluster.Registry], progress: @escaping @Sendable (String) -> Void) async throws {
        if entry.hasPrefix("/") {
            return try await SmallProgram.blocking { [store] in
                try store.load(path: entry, progress: progress)
            }
        }
        guard let reference = ImageReference(entry) else {
            throw UserError(
                "this is neither an image's name nor an archive's path",
                hint: "write NAME[:TAG] or REGISTRY/NAME[:TAG], in small letters, or a path that begins with ./ or ends in .tar")
        }
        if try store.resolve(reference) != nil { return }
        if let image = try lookAlikes.resolve(reference) {
            guard image.isStillToBeMade else { return }
            progress("assembling minik's look-alike")
        } else {
            progress("pulling")
        }
        // Whoever calls us may have logged in.
        let keyring = try DockerKeyring(file: RegistryAccess.callersPasswords ?? NodeAgent.dockerConfiguration)
        _ = try await ImagePuller(service { registries }).pull(reference, credentials: keyring.lookup(reference), tell: progress)
    }
}
