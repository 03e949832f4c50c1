import Model

/// Pulls the images that pods want: who wants the same shares one pull, and not too many run at once.
package actor ImagePuller {
    private let service: any ImageService
    private let clock: any Clock<Duration>
    private let most: Int
    private var pulls: [Wish: Pull] = [:]
    private var waiting: [Wish] = []
    private var running = 0
    private var nextWaiter = 0

    /// What is pulled, and what is said to its registry: who may not in does not keep those out who may.
    private struct Wish: Hashable {
        let reference: ImageReference
        let credentials: [RegistryCredential]
    }

    package struct Outcome: Sendable {
        package let image: PulledImage
        /// How long the registry took, without the time before it was asked.
        package let duration: Duration
    }

    private struct Waiter {
        let tell: @Sendable (String) -> Void
        let result: CheckedContinuation<Outcome, any Error>
    }

    private struct Pull {
        var waiters: [Int: Waiter] = [:]
        var task: Task<Void, Never>?
    }

    /// `most`: pulls at once.
    package init(_ service: any ImageService, most: Int = 3, clock: any Clock<Duration> = ContinuousClock()) {
        self.service = service
        self.most = most
        self.clock = clock
    }

    /// Returns when the image is there. A caller that is cancelled leaves at once, and with the last one the pull ends.
    package func pull(
        _ reference: ImageReference, credentials: [RegistryCredential] = [], tell: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Outcome {
        let wish = Wish(reference: reference, credentials: credentials), number = nextWaiter
        nextWaiter += 1
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { result in
                if Task.isCancelled { return result.resume(throwing: CancellationError()) }
                join(wish, number, Waiter(tell: tell, result: result))
            }
        } onCancel: {
            Task { await self.leave(wish, number) }
        }
    }

    private func join(_ wish: Wish, _ number: Int, _ waiter: Waiter) {
        if pulls[wish] == nil { waiting.append(wish) }
        pulls[wish, default: Pull()].waiters[number] = waiter
        startNext()
    }

    private func leave(_ wish: Wish, _ number: Int) {
        guard let waiter = pulls[wish]?.waiters.removeValue(forKey: number) else { return }
        waiter.result.resume(throwing: CancellationError())
        guard let pull = pulls[wish], pull.waiters.isEmpty else { return }
        // One that runs holds its place until it has ended; whoever comes meanwhile begins another.
        pulls[wish] = nil
        waiting.removeAll { $0 == wish }
        pull.task?.cancel()
    }

    private func startNext() {
        while running < most, !waiting.isEmpty {
            let wish = waiting.removeFirst()
            running += 1
            pulls[wish]?.task = Task { await self.run(wish) }
        }
    }

    private func run(_ wish: Wish) async {
        let own = pulls[wish]?.task
        let elapsed = clock.stopwatch()
        let result: Result<Outcome, any Error>
        do {
            let image = try await fetch(wish)
            result = .success(Outcome(image: image, duration: elapsed()))
        } catch { result = .failure(error) }
        running -= 1
        // Under the same wish another may stand by now.
        if let own, let pull = pulls[wish], pull.task == own {
            pulls[wish] = nil
            for waiter in pull.waiters.values { waiter.result.resume(with: result) }
        }
        startNext()
    }

    /// Tries what may be said to the registry in turn; as nobody where there is nothing to say.
    private func fetch(_ wish: Wish) async throws -> PulledImage {
        var reasons: [String] = []
        for credential in wish.credentials.isEmpty ? [nil] : wish.credentials.map(Optional.init) {
            do {
                try Task.checkCancellation()
                return try await service.pull(wish.reference, as: credential) { words in Task { await self.tell(wish, words) } }
            } catch {
                if Task.isCancelled { throw CancellationError() }
                let reason = "\(error)".replacing("\n  ", with: "; ")
                if !reasons.contains(reason) { reasons.append(reason) }
            }
        }
        throw ImagePullError(wish.reference, reasons)
    }

    private func tell(_ wish: Wish, _ words: String) { for waiter in pulls[wish]?.waiters.values ?? [:].values { waiter.tell(words) } }
}
