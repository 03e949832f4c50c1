import Model
import Runtime
import Testing

@Suite("pulls of images", .timeLimit(.minutes(5)))
struct ImagePullerTests {
    private let registry = FakeRegistry()
    private let clock = ManualClock()

    private func reference(_ name: String) throws -> ImageReference { try #require(ImageReference(name)) }

    @Test("who wants one image shares its pull; a pull that has ended is nobody's any more")
    func shared() async throws {
        let puller = ImagePuller(registry, clock: clock), app = try reference("r.example/app:1")
        registry.push("r.example/app:1", size: 7)
        registry.hold()
        async let one = puller.pull(app)
        async let other = puller.pull(app)
        try await eventually("it runs") { registry.running == 1 }
        clock.pass(.seconds(3))
        try await Task.sleep(for: .milliseconds(20))
        registry.hold(false)
        let outcomes = try await [one, other]
        #expect(outcomes.map(\.image.size) == [7, 7] && outcomes.map(\.duration) == [.seconds(3), .seconds(3)])
        #expect(registry.calls.count == 1)
        _ = try await puller.pull(app)
        #expect(registry.calls.count == 2)
    }

    @Test("no more run at once than may; the others wait for their turn, which is not counted as the pull's time")
    func limited() async throws {
        let puller = ImagePuller(registry, most: 3, clock: clock)
        registry.hold()
        try await withThrowingTaskGroup(of: Duration.self) { group in
            for number in 0..<7 {
                registry.push("r.example/app:\(number)")
                let app = try reference("r.example/app:\(number)")
                group.addTask { try await puller.pull(app).duration }
            }
            try await eventually("three run") { registry.running == 3 }
            clock.pass(.seconds(5))
            registry.hold(false)
            let durations = try await group.reduce(into: []) { $0.append($1) }
            #expect(durations.filter { $0 == .zero }.count == 4, "\(durations)")
        }
        #expect(registry.mostRunning == 3 && registry.calls.count == 7)
    }

    @Test("who is cancelled leaves at once; the last one takes the pull along, and another may begin")
    func cancelled() async throws {
        let puller = ImagePuller(registry, most: 1, clock: clock), app = try reference("r.example/app:1")
        registry.push("r.example/app:1")
        registry.hold()
        let tasks = (0..<2).map { _ in Task { try await puller.pull(app) } }
        try await eventually("it runs") { registry.running == 1 }
        tasks[0].cancel()
        await #expect(throws: CancellationError.self) { try await tasks[0].value }
        #expect(registry.running == 1 && registry.cancelled == 0, "the other still wants it")
        tasks[1].cancel()
        await #expect(throws: CancellationError.self) { try await tasks[1].value }
        try await eventually("it has ended") { registry.running == 0 && registry.cancelled == 1 }
        registry.hold(false)
        _ = try await puller.pull(app)
        #expect(registry.calls.count == 2)
    }

    @Test("what may be said to a registry is tried in turn; nobody's failure is another's; reasons that are the same are told once")
    func credentials() async throws {
        let puller = ImagePuller(registry, clock: clock), app = try reference("r.example/app:1")
        registry.push("r.example/app:1", for: "c")
        func credential(_ user: String) -> RegistryCredential { RegistryCredential(user: user, password: "") }
        _ = try await puller.pull(app, credentials: ["a", "c", "d"].map(credential))
        #expect(registry.calls.map(\.user) == ["a", "c"])
        do {
            _ = try await puller.pull(app, credentials: ["a", "b"].map(credential))
            Issue.record("it was let in")
        } catch { #expect("\(error)" == "failed to pull and unpack image \"r.example/app:1\": unauthorized") }
        registry.hold()
        let stranger = Task { try await puller.pull(app) }
        async let friend = puller.pull(app, credentials: [credential("c")])
        try await eventually("both run") { registry.running == 2 }
        registry.hold(false)
        #expect(try await friend.image.size == 1)
        await #expect(throws: ImagePullError.self) { try await stranger.value }
    }

    @Test(
        "by policy: what is a registry's is asked for again, what was loaded or is a digest's never",
        arguments: [
            (ImagePullPolicy.always, true, ImagePullPolicy.Decision.pull), (.always, false, .use), (.ifNotPresent, true, .use),
            (.never, true, .use),
        ])
    func policy(_ policy: ImagePullPolicy, _ isPulled: Bool, _ decision: ImagePullPolicy.Decision) throws {
        let image = Image(id: "sha256:1", configuration: ImageConfiguration(), layers: [], isPulled: isPulled)
        #expect(policy.decide(try reference("app:1"), present: image) == decision)
        #expect(policy.decide(try reference("app@sha256:" + String(repeating: "0a", count: 32)), present: image) == .use)
        #expect(policy.decide(try reference("app:1"), present: nil) == (policy == .never ? .refuse : .pull))
    }

    @Test("a node tells its largest images, no more than fifty, each with five names")
    func listed() {
        let many = (0..<60).map { ImageListing(names: (1...7).map { n in "n\(n)" }, size: $0) } + [ImageListing(names: [], size: 1000)]
        let status = ImageListing.status(many).items
        #expect(status.count == 50 && status[0]["sizeBytes"].int == 59 && status[49]["sizeBytes"].int == 10)
        #expect(status[0]["names"].items.count == 5)
    }

    @Test(
        "times are written as Go writes them",
        arguments: [
            (0, "0s"), (796, "796ms"), (1200, "1.2s"), (1005, "1.005s"), (60_500, "1m0.5s"), (3_600_000, "1h0m0s"), (2000, "2s"),
        ])
    func times(_ milliseconds: Int, _ text: String) { #expect(Duration.milliseconds(milliseconds).goText == text) }
}
