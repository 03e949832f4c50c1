import Model
import ShimProtocol

/// The life of a pod's containers as a value: what happens goes in, what to do comes out. No clock, no I/O.
package struct PodLifecycle: Sendable {
    package enum Input: Sendable {
        /// An earlier daemon's sandbox is taken over; what runs in it is told next, and then that it is ready.
        case sandboxAdopted
        case sandboxReady
        case started(ContainerRecord)
        /// The container could not be created: its reason and the words for it.
        case startFailed(container: String, reason: String, message: String)
        /// The container was there, but its process could not be started: a life that ended before it began.
        case startError(container: String, message: String, at: Timestamp)
        /// Its volumes are not there yet.
        case startPostponed(container: String)
        /// Its image has to be pulled, or one that a volume of it shows.
        case pullNeeded(container: String, image: String? = nil)
        /// Its image is there; `message`: how long that took.
        case pulled(container: String, message: String)
        case pullFailed(container: String, message: String)
        /// Nobody may, or can, go and get its image: why, in a reason and an event.
        case imageRefused(container: String, reason: String, event: String, message: String)
        case exited(ContainerRecord)
        case probed(container: String, ready: Bool)
        /// The startup probe has succeeded.
        case startupDone(container: String)
        /// A liveness or startup probe has given up on the container, which has `grace` seconds to end; nil: the pod's own.
        case unhealthy(container: String, probe: String = "liveness", grace: Int? = nil)
        case deletionRequested(gracePeriod: Int)
        case timer(Timer)
        /// All that ran in it has ended, by then at the latest.
        case sandboxLost(at: Timestamp)
        /// There is no sandbox, whatever an earlier daemon reported to run in one.
        case sandboxMissing(at: Timestamp)
        /// A container to look around in the pod with: it comes late and is never started again.
        case ephemeral(Container)
        /// A container is to run another image.
        case imageChanged(container: String, image: String)
        /// Its new resources are of the kind that it takes when it starts.
        case resizeNeedsRestart(container: String)
        /// spec.activeDeadlineSeconds as it is now, and how much of it is left; nil without one.
        case deadline(seconds: Int?, remaining: Int)
        /// The node does not take the pod: nothing of it ever runs.
        case rejected(reason: String, message: String)
        /// What a container is made from has changed: one that could not be made may be now.
        case configurationChanged
    }

    package enum Timer: Sendable, Hashable {
        case restart(container: String)
        /// A pull that failed has been told, and what is waited for now is the next.
        case pullBackOff(container: String)
        /// An image that could not be pulled may be asked for again.
        case pullAgain(image: String)
        /// A container that a probe gave up on has had time enough to end by itself; which life of it is meant.
        case lastWarning(container: String, life: Int)
        case graceEnds
        /// The pod has been active for this many seconds, if those still are its deadline.
        case deadline(seconds: Int)
    }

    package enum Action: Sendable, Equatable {
        case start(container: String)
        /// Fetch the container's image.
        case pull(container: String)
        /// Nobody waits for the container's image any more.
        case stopPull(container: String)
        /// Make and start the container, of whose images one more has come.
        case create(container: String)
        /// Ask the container to end (its stop signal), or end it.
        case stop(container: String, force: Bool)
        case schedule(Timer, seconds: Int)
        case event(type: String, reason: String, message: String, container: String?)
        /// Nothing of the pod runs any more: give its sandbox back.
        case tearDown
    }

    enum State: Sendable, Hashable {
        case waiting(reason: String, message: String?)
        case running(ContainerRecord)
        case terminated(ContainerRecord)
    }

    struct Entry: Sendable {
        let name: String
        var image: String
        let isInit: Bool
        /// An init container that goes on beside the others (KEP-753): restartPolicy Always.
        var isSidecar = false
        var isEphemeral = false
        let hasReadinessProbe: Bool
        let hasStartupProbe: Bool
        /// Ready by an earlier daemon's report, in the life that began then.
        var readyBefore: (startedAt: Timestamp, isReady: Bool)?
        var state: State
        var last: ContainerRecord?
        var restartCount = 0
        /// Restarts since it last ran for long: the back-off's exponent.
        var failures = 0
        var isReady = false
        /// Its startup probe, if it has one, has succeeded in this life.
        var hasStarted = false
        var isStarting = false
        /// It is to start when its image has come.
        var isPulling = false
        /// The image that was needed last, where that is not its own but one that a volume shows.
        var volumeImage: String?
        var needed: String { volumeImage ?? image }
        /// Images that nothing more has to be done for, in the start at hand.
        var foundImages: Set<String> = []
        /// Another container of the pod has begun that pull.
        var sharesPull = false
        /// The next start is a restart.
        var isRestart = false
        /// Told to end because the pod ends.
        var isAskedToStop = false

        /// It runs, or is about to.
        var isAlive: Bool { if case .running = state { true } else { isStarting && !isPulling } }
        /// It waits for the next try to pull its image.
        var lacksImage: Bool { waits([PodLifecycle.errImagePull, PodLifecycle.imagePullBackOff]) }
        /// No other try would get it its image, but another image would.
        var isRefusedImage: Bool { waits(["InvalidImageName", "ErrImageNeverPull"]) }
        private func waits(_ reasons: [String]) -> Bool {
            guard case .waiting(let reason, _) = state else { return false }
            return !isStarting && reasons.contains(reason)
        }
        /// An init container that no longer holds up what comes after it.
        var isPassed: Bool {
            switch state {
            case .terminated(let record): !isSidecar && record.exitCode == 0
            case .running: isSidecar && hasStarted
            case .waiting: false
            }
        }
    }

    /// Why a pod failed as a whole, whatever its containers did.
    struct Failure: Sendable, Hashable {
        let reason: String
        let message: String
    }

    package static let errImagePull = "ErrImagePull"
    package static let imagePullBackOff = "ImagePullBackOff"
    private static let longestBackOff = 300
    private static let healthyAfter = 600
    package static let configurationError = "CreateContainerConfigError"
    package static let inspectError = "ImageInspectError"
    package static let creationError = "CreateContainerError"
    /// containerd's reason for an end before the beginning; its exit code is 128.
    static let startError = "StartError"
    /// The kubelet's words for the end of a container that nobody saw. (pkg/kubelet/kubelet_pods.go, convertToAPIContainerStatuses)
    static let unknownEnd = "ContainerStatusUnknown"
    static let unknownEndWords = "The container could not be located when the pod was deleted.  The container used to be Running"
    /// Seconds until what could not be made is tried again.
    static let configurationPause = 10, volumePause = 2

    var entries: [Entry]
    /// Images that could not be pulled, each with how often that was.
    var pullFailures: [String: Int] = [:]
    /// Images that are not asked for just now.
    var pullsBackingOff: Set<String> = []
    let restartPolicy: String
    private let podName: String
    private let uid: String
    var hasSandbox = false
    /// The init containers are through: sidecars that start anew hold up nobody.
    var hasInitialized = false
    var failure: Failure?
    var isRejected = false
    var deadline: Int?
    var isAdopting = false
    var isEnding = false
    var hasGraceEnded = false
    let gracePeriod: Int
    private(set) package var isTornDown = false
    private var hasAskedTearDown = false

    /// `pod` as stored: what its status says of earlier lives of its containers is carried on.
    package init(_ pod: Pod) {
        restartPolicy = pod.restartPolicy
        podName = "\(pod.name)_\(pod.namespace)"
        uid = pod.uid
        gracePeriod = pod.spec["terminationGracePeriodSeconds"].int ?? 30
        func entry(_ container: Container, isInit: Bool, isEphemeral: Bool = false) -> Entry {
            let statuses = pod.status[isInit ? "initContainerStatuses" : isEphemeral ? "ephemeralContainerStatuses" : "containerStatuses"]
                .items
            let old = statuses.first { $0["name"].string == container.name } ?? .null
            var entry = Entry(
                name: container.name, image: container.image, isInit: isInit, hasReadinessProbe: !container.json["readinessProbe"].isNull,
                hasStartupProbe: !container.json["startupProbe"].isNull,
                state: .waiting(reason: pod.initContainers.isEmpty ? "ContainerCreating" : "PodInitializing", message: nil))
            entry.isEphemeral = isEphemeral
            entry.isSidecar = isInit && container.json["restartPolicy"].string == "Always"
            entry.restartCount = old["restartCount"].int ?? 0
            entry.last = ContainerRecord(status: old["lastState"]["terminated"], name: container.name)
            if let began = old["state"]["running"]["startedAt"].string.flatMap(Timestamp.init) {
                entry.readyBefore = (began, old["ready"].bool ?? false)
            }
            if let ended = ContainerRecord(status: old["state"]["terminated"], name: container.name) { entry.state = .terminated(ended) }
            // A life that ended is counted when the next begins.
            entry.isRestart =
                entry.last != nil
                && ["CrashLoopBackOff", "ContainerCreating", "PodInitializing"].contains(old["state"]["waiting"]["reason"].string)
            return entry
        }
        entries =
            pod.initContainers.map { entry($0, isInit: true) } + pod.containers.map { entry($0, isInit: false) }
            + pod.ephemeralContainers.map { entry($0, isInit: false, isEphemeral: true) }
        if let reason = pod.status["reason"].string, pod.isFinished {
            failure = Failure(reason: reason, message: pod.status["message"].string ?? "")
        }
    }

    /// Whether a container begins anew after a life that ended well, or `failed`.
    func restarts(_ entry: Entry, failed: Bool) -> Bool {
        if entry.isEphemeral { return false }
        if entry.isSidecar { return true }
        if entry.isInit { return failed && restartPolicy != "Never" }
        return restartPolicy == "Always" || (restartPolicy == "OnFailure" && failed)
    }

    /// Ends a container that runs, so that it begins anew.
    func renew(_ entry: Entry, _ why: String, within grace: Int? = nil) -> [Action] {
        guard case .running = entry.state else { return [] }
        return [
            .event(type: "Normal", reason: "Killing", message: "Container \(entry.name) \(why)", container: entry.name),
            .stop(container: entry.name, force: false),
            .schedule(.lastWarning(container: entry.name, life: entry.restartCount), seconds: grace ?? gracePeriod),
        ]
    }

    mutating func update(_ name: String, _ change: (inout Entry) -> Void) {
        guard let index = entries.firstIndex(where: { $0.name == name }) else { return }
        change(&entries[index])
    }

    mutating func tearDown() -> [Action] {
        guard !hasAskedTearDown else { return [] }
        hasAskedTearDown = true
        isTornDown = true
        return [.tearDown]
    }

    /// The pod ends, for whatever reason: nothing is started any more, and what runs has `grace` seconds.
    mutating func end(within grace: Int) -> [Action] {
        guard !isTornDown else { return [] }
        isEnding = true
        let stops = stopPulls()
        let alive = entries.filter(\.isAlive)
        if alive.isEmpty { return stops + tearDown() }
        if grace == 0 { return stops + alive.map { .stop(container: $0.name, force: true) } }
        return stops + stopNext() + [.schedule(.graceEnds, seconds: grace)]
    }

    /// Asks what runs to end: first everything but the sidecars, then those, the last that was started first.
    private mutating func stopNext() -> [Action] {
        let alive = entries.indices.filter { entries[$0].isAlive }
        let others = alive.filter { !entries[$0].isSidecar }
        return (others.isEmpty ? alive.suffix(1) : others).flatMap { index -> [Action] in
            guard !entries[index].isAskedToStop else { return [] }
            entries[index].isAskedToStop = true
            let name = entries[index].name
            return [
                .event(type: "Normal", reason: "Killing", message: "Stopping container \(name)", container: name),
                .stop(container: name, force: hasGraceEnded),
            ]
        }
    }

    /// While the pod ends: its sandbox goes with the last of its containers.
    mutating func goOnEnding() -> [Action] { entries.contains(where: \.isAlive) ? stopNext() : tearDown() }

    mutating func start(_ name: String) -> [Action] {
        update(name) {
            $0.isStarting = true
            $0.foundImages = []
            // A life that ended is counted when the next begins.
            if $0.isRestart {
                $0.restartCount += 1
                $0.isRestart = false
            }
        }
        return [.start(container: name)]
    }

    /// Starts whatever may run now: the next init container, or all others once those are through.
    mutating func advance() -> [Action] {
        guard hasSandbox, !isAdopting, !isEnding else { return [] }
        for entry in entries where entry.isInit && !hasInitialized && !entry.isPassed {
            return mayStart(entry) ? start(entry.name) : []
        }
        hasInitialized = true
        let waiting = entries.filter { !$0.isInit && mayStart($0) }
        return waiting.flatMap { start($0.name) }
    }

    /// It waits for nothing but its turn.
    private func mayStart(_ entry: Entry) -> Bool {
        guard !entry.isStarting, case .waiting(let reason, _) = entry.state else { return false }
        return ["ContainerCreating", "PodInitializing"].contains(reason) || (entry.lacksImage && !pullsBackingOff.contains(entry.needed))
    }

    mutating func retry(_ name: String) -> [Action] {
        var delay = 0
        update(name) {
            delay = Self.backOff($0.failures + 1)
            $0.failures += 1
        }
        return [.schedule(.restart(container: name), seconds: delay)]
    }

    /// The first restart is immediate; then 10 s, doubled each time, up to five minutes.
    static func backOff(_ failures: Int) -> Int { failures == 0 ? 0 : min(10 << min(failures - 1, 10), longestBackOff) }

    mutating func exited(_ record: ContainerRecord) -> [Action] {
        guard let index = entries.firstIndex(where: { $0.name == record.name }) else { return [] }
        entries[index].state = .terminated(record)
        entries[index].isReady = false
        entries[index].isStarting = false
        if isEnding { return goOnEnding() }
        let failed = record.exitCode != 0
        if entries[index].isEphemeral { return [] }
        if restarts(entries[index], failed: failed) {
            let lived = (record.finishedAt?.seconds ?? 0) - record.startedAt.seconds
            if lived >= Self.healthyAfter, record.reason != Self.startError { entries[index].failures = 0 }
            let delay = Self.backOff(entries[index].failures)
            entries[index].failures += 1
            entries[index].last = record
            entries[index].isRestart = true
            guard delay > 0 else { return start(record.name) }
            let message = "back-off \(humanDuration(seconds: delay)) restarting failed container=\(record.name) pod=\(podName)(\(uid))"
            entries[index].state = .waiting(reason: "CrashLoopBackOff", message: message)
            return [
                .event(
                    type: "Warning", reason: "BackOff",
                    message: "Back-off restarting failed container \(record.name) in pod \(podName)(\(uid))", container: record.name),
                .schedule(.restart(container: record.name), seconds: delay),
            ]
        }
        if entries[index].isInit, failed { return finishIfDone(initFailed: true) }
        return advance() + finishIfDone(initFailed: false)
    }

    mutating func finishIfDone(initFailed: Bool) -> [Action] {
        guard initFailed || isFinished else { return [] }
        return end(within: gracePeriod)
    }

    /// Every container that is to end has ended, and none will be started again.
    private var isFinished: Bool {
        entries.allSatisfy { if $0.isSidecar { true } else if case .terminated = $0.state { !$0.isStarting } else { false } }
    }
}
