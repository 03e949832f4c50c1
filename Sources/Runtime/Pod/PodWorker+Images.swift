import Model
import ShimProtocol

/// From the wish to start a container to its start: its image found or pulled, and then the container made.
extension PodWorker {
    func start(_ name: String, _ group: inout DiscardingTaskGroup) async {
        guard let container = pod.allContainers.first(where: { $0.name == name }) else { return }
        let needed =
            !pod.imageVolumes(of: container).isEmpty
            ? ShimVersion.mounting : pod.processes == .own ? ShimVersion.confining : ShimVersion.sharing
        guard shimVersion >= needed else { return await leaveOldShim() }
        await goOn(container, &group)
    }

    /// Goes on now that an image has come: with the next, or with the container itself.
    func create(_ name: String, _ group: inout DiscardingTaskGroup) async {
        guard let container = pod.allContainers.first(where: { $0.name == name }) else { return }
        await goOn(container, &group)
    }

    /// Makes and starts a container when all its images are there. Its volumes may show something else by now.
    private func goOn(_ container: Container, _ group: inout DiscardingTaskGroup) async {
        let name = container.name
        do {
            try await plan.volumes.refresh()
            for wanted in WantedImage.all(of: container, in: pod) where !lifecycle.hasFound(name, wanted.name) {
                guard let reference = ImageReference(wanted.name) else { return refuse(container, wanted, "InvalidImageName") }
                switch wanted.policy.decide(reference, present: try await inspect(reference)) {
                case .use:
                    lifecycle.found(name, wanted.name)
                    await tell(
                        "Normal", "Pulled", "Container image \"\(wanted.name)\" already present on machine and can be accessed by the pod",
                        wanted.volume == nil ? name : nil)
                case .pull: return inbox.post(.input(.pullNeeded(container: name, image: wanted.name)))
                case .refuse: return refuse(container, wanted, "ErrImageNeverPull")
                }
            }
            try await make(container, &group)
        } catch { await fail(name, error) }
    }

    private func make(_ container: Container, _ group: inout DiscardingTaskGroup) async throws {
        let name = container.name
        var image: Image?, shown: [String: Image] = [:]
        for wanted in WantedImage.all(of: container, in: pod) {
            guard let reference = ImageReference(wanted.name), let found = try await take(reference, wanted, for: container) else {
                // It went between two looks.
                inbox.post(.input(.pullNeeded(container: name, image: wanted.name)))
                return inbox.post(.input(.pullFailed(container: name, message: "image \"\(wanted.name)\" was removed")))
            }
            if let volume = wanted.volume { shown[volume] = found } else { image = found }
        }
        guard let image else { return }
        let spec = try await plan.spec(container, image: image, shown: shown, attempt: lifecycle.attempt(name))
        try connection?.send(.start(spec))
        expect(.start(container: name, life: lifecycle.attempt(name)), &group)
    }

    private func fail(_ name: String, _ error: any Error) async {
        switch error {
        case let error as MountError:
            await tellUnmounted(error)
            inbox.post(.input(.startPostponed(container: name)))
        case let error as ImageFailure:
            inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.inspectError, message: error.description)))
        case let error as ContainerPlan.CreationError:
            inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.creationError, message: error.description)))
        default: inbox.post(.input(.startFailed(container: name, reason: PodLifecycle.configurationError, message: "\(error)")))
        }
    }

    // MARK: Pulls

    /// Begins to fetch the image that a container waits for; how that ended is a message.
    func pull(_ name: String, _ group: inout DiscardingTaskGroup) async {
        guard let image = lifecycle.pulling(name), let reference = ImageReference(image) else { return }
        let elapsed = node.clock.stopwatch(), credentials = await credentials(for: reference)
        let task = Task { [inbox, node] in
            let result: Result<ImagePuller.Outcome, any Error>
            do {
                result = .success(
                    try await node.puller.pull(reference, credentials: credentials) { words in
                        Task { await self.tell("Normal", "Pulling", words, name) }
                    })
            } catch { result = .failure(error) }
            if !Task.isCancelled { inbox.post(.pullEnded(container: name, image: image, result, waited: elapsed())) }
        }
        pulls[name] = task
        group.addTask {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    /// What to do now that a pull has ended, unless another image is wanted by now.
    func pullEnded(_ name: String, _ image: String, _ result: Result<ImagePuller.Outcome, any Error>, _ waited: Duration)
        -> PodLifecycle.Input?
    {
        guard lifecycle.pulling(name) == image else { return nil }
        pulls[name] = nil
        switch result {
        case .success(let outcome):
            let times = "\(outcome.duration.goText) (\(waited.goText) including waiting)"
            return .pulled(
                container: name,
                message: "Successfully pulled image \"\(image)\" in \(times). Image size: \(outcome.image.size) bytes.")
        case .failure(let error): return .pullFailed(container: name, message: "\(error)")
        }
    }

    /// What the pod's secrets, and then this machine's own docker login, say of a registry.
    private func credentials(for reference: ImageReference) async -> [RegistryCredential] {
        let secrets = await PullSecrets(of: pod, node.client)
        if let complaint = secrets.complaint { await tell("Warning", "FailedToRetrieveImagePullSecret", complaint, nil) }
        var found = DockerKeyring(secrets.configurations).lookup(reference)
        do { found += try DockerKeyring(file: node.dockerConfiguration).lookup(reference) } catch {
            node.report("pod \(pod.key): \(node.dockerConfiguration) is not used: \(error)")
        }
        return found
    }

    // MARK: What is there

    /// What no other try would make better: a name that is none, an image that is not to be looked for.
    private func refuse(_ container: Container, _ wanted: WantedImage, _ reason: String) {
        let name = "\"\(wanted.name)\""
        let isName = reason != "InvalidImageName"
        let words =
            isName
            ? "Container image \(name) is not present with pull policy of Never"
            : "Failed to apply default image tag \(name): couldn't parse image name \(name): invalid reference format"
        inbox.post(
            .input(
                .imageRefused(container: container.name, reason: reason, event: isName ? reason : "InspectFailed", message: words)))
    }

    /// What has images failed, which says nothing about whether there is this one.
    private struct ImageFailure: Error, CustomStringConvertible {
        let description: String

        init(_ reference: ImageReference, _ error: any Error) {
            description = "Failed to inspect image \"\(reference)\": \("\(error)".replacing("\n  ", with: "; "))"
        }
    }

    private func inspect(_ reference: ImageReference) async throws -> Image? {
        do { return try await node.images.resolve(reference) } catch { throw ImageFailure(reference, error) }
    }

    /// The same for the container, which has it from now on.
    private func take(_ reference: ImageReference, _ wanted: WantedImage, for container: Container) async throws -> Image? {
        let use = use(of: container, volume: wanted.volume)
        do { return try await node.images.resolve(reference, for: use) } catch { throw ImageFailure(reference, error) }
    }

    private func use(of container: Container, volume: String? = nil) -> ImageUse {
        ImageUse(state: paths.podState(pod.uid), container: container.name, volume: volume, pod: pod.key)
    }

    /// The image that a container runs from; nil where there is none, or none can be asked for just now. A name may have become another
    /// image's since the container began.
    func image(of container: Container?) async -> Image? {
        guard let container, let reference = ImageReference(container.image) else { return nil }
        do {
            if let digest = use(of: container).digest, let held = ImageReference("\(reference.registry)/\(reference.repository)@\(digest)"),
                let image = try await node.images.resolve(held)
            {
                return image
            }
            return try await node.images.resolve(reference)
        } catch {
            node.report("pod \(pod.key): image \(reference): \(error)")
            return nil
        }
    }
}
