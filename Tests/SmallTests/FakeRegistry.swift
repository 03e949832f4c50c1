import Model
import Runtime
import Synchronization

/// Registries that have what a test pushes, and a machine's store that holds what was pulled.
final class FakeRegistry: ImageService, ImageSource {
    struct Call: Sendable, Equatable {
        let image: String
        let user: String?
    }

    private struct State {
        var pushed: [String: (size: Int, user: String?)] = [:]
        var pulled: [String: Int] = [:]
        var calls: [Call] = []
        var isHeld = false
        var running = 0
        var mostRunning = 0
        var cancelled = 0
    }

    private let state = Mutex(State())

    struct Refused: Error, CustomStringConvertible { let description: String }

    /// `user`: who alone gets it.
    func push(_ image: String, size: Int = 1, for user: String? = nil) { state.withLock { $0.pushed[image] = (size, user) } }
    /// Pulls wait from now on, or go on.
    func hold(_ isHeld: Bool = true) { state.withLock { $0.isHeld = isHeld } }

    var calls: [Call] { state.withLock(\.calls) }
    var running: Int { state.withLock(\.running) }
    var mostRunning: Int { state.withLock(\.mostRunning) }
    var cancelled: Int { state.withLock(\.cancelled) }

    func pull(_ reference: ImageReference, as credential: RegistryCredential?, tell: @escaping @Sendable (String) -> Void) async throws
        -> PulledImage
    {
        state.withLock { state in
            state.calls.append(Call(image: reference.description, user: credential?.user))
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
        }
        defer { state.withLock { $0.running -= 1 } }
        while state.withLock(\.isHeld) {
            do { try await Task.sleep(for: .milliseconds(2)) } catch {
                state.withLock { $0.cancelled += 1 }
                throw error
            }
        }
        return try state.withLock { state in
            guard let image = state.pushed[reference.description] else { throw Refused(description: "manifest unknown") }
            guard image.user == nil || image.user == credential?.user else { throw Refused(description: "unauthorized") }
            state.pulled[reference.description] = image.size
            return PulledImage(size: image.size)
        }
    }

    func resolve(_ reference: ImageReference) -> Image? {
        state.withLock { $0.pulled[reference.description] }.map { _ in
            Image(
                id: "sha256:1", configuration: ImageConfiguration(command: ["sh"]), layers: ["/layer"], digest: "sha256:2", isPulled: true)
        }
    }

    func listings() -> [ImageListing] {
        state.withLock(\.pulled).map { ImageListing(names: [$0.key], size: $0.value) }
    }
}
