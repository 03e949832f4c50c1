import API
import Model
import Proxy
import Runtime

/// Looks at the cluster for as long as somebody looks at the map, and at nothing when nobody does.
package actor MapFeed {
    /// Who looks at once, at most.
    package static let mostViewers = 8
    /// Between two looks; a look that takes long is followed by ten times as long a pause.
    private static let pause = Duration.milliseconds(500)
    /// How long it goes on after the last has left: a page that is loaded again finds the changes that it showed.
    private static let linger = Duration.seconds(10)

    private let cluster: Cluster
    private let client: any Client
    private let threads: RequestThreads
    private let makeEyes: @Sendable () -> any MapSource
    private let past: @Sendable () async throws -> [MapPast.Moment]
    private let clock: any Clock<Duration>
    private let now: @Sendable () -> Timestamp
    private let begin: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    private var viewers: [Int: AsyncStream<MapMoment>.Continuation] = [:]
    private var nextViewer = 0
    /// What is known while somebody looks.
    private var view: View?
    /// How often the kernel was looked at.
    package private(set) var looks = 0

    private struct View {
        let eyes: any MapSource
        let begun = ContinuousClock.now
        var versions: [Resource: Int] = [:]
        var snapshot: ClusterSnapshot
        var map: ClusterMap?
        var reach: MapReach?
        var history = MapHistory()
        var moment: MapMoment?
    }

    /// `past`: what has been before. `eyes`: opened when somebody comes, and let go of when nobody is left.
    package init(
        cluster: Cluster, client: any Client, threads: RequestThreads, clock: any Clock<Duration> = TimerClock(),
        now: @escaping @Sendable () -> Timestamp = Timestamp.now, past: @escaping @Sendable () async throws -> [MapPast.Moment] = { [] },
        eyes: @escaping @Sendable () -> any MapSource
    ) {
        (self.cluster, self.client, self.threads, self.clock, self.now) = (cluster, client, threads, clock, now)
        (makeEyes, self.past) = (eyes, past)
        (begin, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Each moment from now on; of several that a slow reader has not taken, the last.
    package func watch() throws -> AsyncStream<MapMoment> {
        guard viewers.count < Self.mostViewers else {
            throw StatusError(503, .serviceUnavailable, "\(viewers.count) pages show this map already: close one of them")
        }
        let (moments, sink) = AsyncStream.makeStream(of: MapMoment.self, bufferingPolicy: .bufferingNewest(1))
        let number = nextViewer
        nextViewer += 1
        viewers[number] = sink
        sink.onTermination = { [weak self] _ in Task { await self?.leave(number) } }
        if let moment = view?.moment { sink.yield(moment) }
        wake.yield()
        return moments
    }

    /// Whether it keeps what it has seen: somebody looks, or did so a moment ago.
    package var isLooking: Bool { view != nil }

    private func leave(_ number: Int) { viewers[number] = nil }

    /// One of the last changes; nil where it is forgotten.
    package func change(_ number: Int) -> JSON? { view?.history.changes.first { $0.number == number }?.whole }

    /// What decides who reaches whom, as the picture shows it.
    package func snapshot() async throws -> ClusterSnapshot {
        if let view { return view.snapshot }
        return try await ClusterSnapshot(cluster: cluster, client: client)
    }

    /// Looks whenever there is somebody, until cancelled. `report` hears of what could not be looked at.
    package func run(report: @escaping @Sendable (String) -> Void) async throws {
        for await _ in begin {
            // Who came while the last look went on has been shown it.
            guard !viewers.isEmpty else { continue }
            var idle = Duration.zero, trouble = ""
            while idle < Self.linger {
                let start = ContinuousClock.now
                do { try await look() } catch is CancellationError { throw CancellationError() } catch {
                    // Once, however often it is met.
                    if trouble != "\(error)" { report("the map: \(error)") }
                    trouble = "\(error)"
                }
                let rest = max(Self.pause, start.duration(to: .now) * 10)
                try await clock.sleep(for: rest, tolerance: nil)
                idle = viewers.isEmpty ? idle + rest : .zero
            }
            view = nil
        }
    }

    private static let followed: [Resource] = [
        Service.resource, EndpointSlice.resource, Pod.resource, NetworkPolicy.resource, Namespace.resource,
        ClusterNetworkPolicy.resource, Node.resource,
    ]

    private func look() async throws {
        looks += 1
        var versions: [Resource: Int] = [:]
        for resource in Self.followed { versions[resource] = try await client.latest(resource) }
        var next = view ?? View(eyes: makeEyes(), snapshot: ClusterSnapshot(cluster: cluster))
        let isNew = versions != next.versions
        if isNew {
            next.snapshot = try await ClusterSnapshot(cluster: cluster, client: client)
            next.versions = versions
        }
        let sight = try await next.eyes.look(at: next.snapshot.pods)
        var map = next.map ?? ClusterMap(next.snapshot, sight)
        if isNew { map = ClusterMap(next.snapshot, sight) } else { map.look(at: sight) }
        if isNew || next.reach == nil {
            if view == nil { for moment in try await past() { _ = try await note(moment.snapshot, moment.time, &next.history) } }
            next.reach = try await note(next.snapshot, now(), &next.history)
        }
        let moved = try await next.eyes.moved(now: next.begun.duration(to: .now) / .seconds(1))
        tell(&next, map, MapFlow.flows(moved, map))
        view = next
    }

    /// Who reaches whom in a large cluster takes a while.
    private func note(_ snapshot: ClusterSnapshot, _ time: Timestamp?, _ history: inout MapHistory) async throws -> MapReach {
        let reach = try await threads.run(Int.max) { MapReach(snapshot) }
        history.note(snapshot, reach, at: time)
        return reach
    }

    private func tell(_ view: inout View, _ map: ClusterMap, _ flows: [MapFlow]) {
        guard let reach = view.reach else { return }
        let before = view.moment
        let isSame = view.map?.still == map.still && before?.picture["changes"].items.count == view.history.changes.count
        let version = (before?.version ?? 0) + (isSame ? 0 : 1)
        let picture = isSame ? before?.picture : nil
        view.map = map
        let moment = MapMoment(
            version: version, picture: picture ?? MapMoment.picture(map, reach, view.history, version: version), map: map, flows: flows)
        view.moment = moment
        for viewer in viewers.values { viewer.yield(moment) }
    }
}
