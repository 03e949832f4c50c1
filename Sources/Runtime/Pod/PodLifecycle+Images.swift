import Model

/// A container's image, before the container is made. (pkg/kubelet/images/image_manager.go)
extension PodLifecycle {
    /// Seconds until a container whose image could not be pulled says that it waits.
    private static let timeToTell = 2

    /// `image`: nil for the container's own, or one that a volume of it shows.
    mutating func pullNeeded(_ name: String, _ image: String?) -> [Action] {
        update(name) { $0.volumeImage = image == $0.image ? nil : image }
        guard let entry = entry(name), entry.isStarting else { return [] }
        if isEnding {
            update(name) { $0.isStarting = false }
            return goOnEnding()
        }
        // Two containers of one image wait together.
        if pullsBackingOff.contains(entry.needed) { return backOff(name) }
        let isUnderWay = entries.contains { $0.isPulling && $0.needed == entry.needed }
        update(name) {
            $0.isPulling = true
            $0.sharesPull = isUnderWay
        }
        if isUnderWay { return [] }
        return [tell(entry, "Normal", "Pulling", "Pulling image \"\(entry.needed)\""), .pull(container: name)]
    }

    mutating func pulled(_ name: String, _ message: String) -> [Action] {
        guard let entry = entry(name), entry.isPulling else { return [] }
        update(name) { $0.isPulling = false }
        found(name, entry.needed)
        pullFailures[entry.needed] = nil
        return [tell(entry, "Normal", "Pulled", message), .create(container: name)] + leave(entry.needed).flatMap { start($0) }
    }

    /// The pull of an image has ended: who shared it, in order, and waits for nothing now.
    private mutating func leave(_ image: String) -> [String] {
        let sharers = entries.filter { $0.sharesPull && $0.needed == image }.map(\.name)
        for name in sharers { update(name) { ($0.sharesPull, $0.isPulling, $0.isStarting) = (false, false, false) } }
        return sharers
    }

    mutating func pullFailed(_ name: String, _ message: String) -> [Action] {
        guard let entry = entry(name), entry.isStarting else { return [] }
        update(name) {
            $0.isStarting = false
            $0.isPulling = false
            $0.state = .waiting(reason: Self.errImagePull, message: message)
        }
        if isEnding { return goOnEnding() }
        let told = [
            tell(entry, "Warning", "Failed", "Failed to pull image \"\(entry.needed)\": \(message)"),
            tell(entry, "Warning", "Failed", "Error: \(Self.errImagePull)"),
            .schedule(.pullBackOff(container: name), seconds: Self.timeToTell),
        ]
        pullsBackingOff.insert(entry.needed)
        pullFailures[entry.needed, default: 0] += 1
        return told + leave(entry.needed).flatMap { backOff($0) } + [
            .schedule(.pullAgain(image: entry.needed), seconds: Self.backOff(pullFailures[entry.needed] ?? 1))
        ]
    }

    /// Says that the image is not asked for just now, and why.
    mutating func backOff(_ name: String) -> [Action] {
        guard let entry = entry(name) else { return [] }
        let words = "Back-off pulling image \"\(entry.needed)\""
        let reason = entries.lazy.filter { $0.needed == entry.needed }.compactMap { other -> String? in
            if case .waiting(Self.errImagePull, let message?) = other.state { "\(words): \(Self.errImagePull): \(message)" } else { nil }
        }.first
        let told = entries.lazy.filter { $0.needed == entry.needed }.compactMap { other -> String? in
            if case .waiting(Self.imagePullBackOff, let message) = other.state { message } else { nil }
        }.first
        update(name) {
            $0.isStarting = false
            $0.state = .waiting(reason: Self.imagePullBackOff, message: reason ?? told ?? words)
        }
        return [tell(entry, "Normal", "BackOff", words), tell(entry, "Warning", "Failed", "Error: \(Self.imagePullBackOff)")]
    }

    /// Nobody may get the image, whoever asks.
    mutating func imageRefused(_ name: String, _ reason: String, _ event: String, _ message: String) -> [Action] {
        update(name) {
            $0.isStarting = false
            $0.state = .waiting(reason: reason, message: message)
        }
        if isEnding { return goOnEnding() }
        return [
            .event(type: "Warning", reason: event, message: message, container: name),
            .event(type: "Warning", reason: "Failed", message: "Error: \(reason)", container: name),
            .schedule(.restart(container: name), seconds: Self.configurationPause),
        ]
    }

    mutating func imageChanged(_ name: String, _ image: String) -> [Action] {
        guard !isEnding, let entry = entry(name), entry.image != image else { return [] }
        update(name) {
            $0.image = image
            $0.volumeImage = nil
            $0.failures = 0
        }
        if entry.isPulling {
            update(name) { ($0.isPulling, $0.sharesPull) = (false, false) }
            let left = entry.sharesPull ? [] : leave(entry.needed)
            return [.stopPull(container: name), .start(container: name)] + left.flatMap { start($0) }
        }
        if hasSandbox, entry.lacksImage || entry.isRefusedImage { return start(name) }
        return renew(entry, "definition changed, will be restarted")
    }

    /// The pod, or its sandbox, ends: what was to start when its image came does not.
    mutating func stopPulls() -> [Action] {
        let pulling = entries.filter(\.isPulling).map(\.name)
        for name in pulling {
            update(name) { ($0.isPulling, $0.sharesPull, $0.isStarting) = (false, false, false) }
        }
        return pulling.map { .stopPull(container: $0) }
    }

    /// The image that a container waits for; nil when it waits for none.
    func pulling(_ name: String) -> String? { entry(name).flatMap { $0.isPulling ? $0.needed : nil } }

    /// An image is there, as its policy wants it, for the start at hand.
    mutating func found(_ name: String, _ image: String) { update(name) { $0.foundImages.insert(image) } }
    func hasFound(_ name: String, _ image: String) -> Bool { entry(name)?.foundImages.contains(image) ?? false }

    /// What is said of a volume's image is said of the pod.
    private func tell(_ entry: Entry, _ type: String, _ reason: String, _ words: String) -> Action {
        .event(type: type, reason: reason, message: words, container: entry.volumeImage == nil ? entry.name : nil)
    }
}
