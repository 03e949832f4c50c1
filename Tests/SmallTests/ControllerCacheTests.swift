import API
import Controllers
import Model
import Testing

@Suite("Controllers know what they follow, and what they wrote", .timeLimit(.minutes(5)))
struct ControllerCaches {
    private let api: APIServer, client: TroubledClient

    init() async throws {
        api = try await Fixture.api()
        client = TroubledClient(api)
        for name in ["n1", "n2"] { _ = try await api.create(.nodes, Fixture.node(name)) }
    }

    private func controlling(_ reconcilers: [any Reconciler], _ body: (Informers) async throws -> Void) async throws {
        let informers = Informers(client: client) { _ in }
        let controllers = reconcilers.map { Controller($0, informers: informers, report: { _ in }) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for controller in controllers { group.addTask { try await controller.run() } }
            group.addTask { try await informers.run() }
            try await informers.synced(reconcilers.flatMap { $0.sources.map(\.resource) + $0.reads })
            try await body(informers)
            group.cancelAll()
        }
    }

    private func replicaSet(_ replicas: Int) -> JSON {
        [
            "metadata": ["name": "web", "namespace": "default"],
            "spec": [
                "replicas": .int(replicas), "selector": ["matchLabels": ["app": "web"]],
                "template": ["metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "main", "image": "httpd"]]]],
            ],
        ]
    }

    @Test("a list waits until it has what was written, and no longer has what was deleted")
    func ownWrites() async throws {
        let informers = Informers(client: client) { _ in }
        informers.follow(.pods)
        let cached = CachedClient(informers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await informers.run() }
            #expect(try await cached.list(Pod.self).isEmpty)
            try await eventually("it watches") { informers[.pods]?.isFollowing == true }
            for round in 1...2 {
                client.hold(.pods, true)
                if round == 1 {
                    _ = try await cached.create(.pods, Fixture.pod("a"))
                } else {
                    try await cached.delete(.pods, Fixture.key("a"))
                }
                let listed = Task { try await cached.list(Pod.self, namespace: "default").map(\.name) }
                try await Task.sleep(for: .milliseconds(30))
                #expect(informers.list(Pod.self).count == round - 1, "what is known is what was told")
                client.hold(.pods, false)
                #expect(try await listed.value == (round == 1 ? ["a"] : []))
            }
            // Gone without us: a name that is not found is not waited for either.
            await #expect(throws: StatusError.self) { try await cached.delete(.pods, Fixture.key("a"), gracePeriod: nil, uid: "some") }
            #expect(try await cached.list(Pod.self).isEmpty)
            group.cancelAll()
        }
    }

    @Test("a ReplicaSet that hears late of its own pods makes none twice, and deletes none too many")
    func noDuplicates() async throws {
        try await controlling([ReplicaSetReconciler()]) { _ in
            client.hold(.pods, true)
            _ = try await api.create(.replicaSets, replicaSet(3))
            try await eventually("three pods are made") { try await api.list(Pod.self).count == 3 }
            _ = try await api.patch(.replicaSets, Fixture.key("web"), ["metadata": ["annotations": ["look": "again"]]])
            try await Task.sleep(for: .milliseconds(50))
            #expect(try await api.list(Pod.self).count == 3)
            client.hold(.pods, false)
            try await eventually("it knows of them") { try await api.get(.replicaSets, Fixture.key("web"))["status"]["replicas"].int == 3 }
            client.hold(.pods, true)
            _ = try await api.patch(.replicaSets, Fixture.key("web"), ["spec": ["replicas": 2]])
            try await eventually("two are left") { try await api.list(Pod.self).count == 2 }
            _ = try await api.patch(.replicaSets, Fixture.key("web"), ["metadata": ["annotations": ["look": "once more"]]])
            try await Task.sleep(for: .milliseconds(50))
            client.hold(.pods, false)
            try await eventually("it knows of that") { try await api.get(.replicaSets, Fixture.key("web"))["status"]["replicas"].int == 2 }
            #expect(try await api.list(Pod.self).count == 2)
        }
    }

    @Test("an object that cannot be read is looked at again, not taken for absent")
    func unreadable() async throws {
        try await controlling([ReplicaSetReconciler(), DaemonSetReconciler(), StatefulSetReconciler()]) { _ in
            client.refuseGets(3)
            _ = try await api.create(.replicaSets, replicaSet(2))
            try await eventually("its pods are made all the same", within: .seconds(20)) { try await api.list(Pod.self).count == 2 }
        }
    }

    @Test("what is followed is not listed again for each look")
    func noLists() async throws {
        try await controlling([DeploymentReconciler(), ReplicaSetReconciler(), Scheduler()]) { _ in
            let lists = client.lists
            _ = try await api.create(.deployments, Fixture.deployment("web", replicas: 20))
            try await eventually("twenty pods have a node") { try await api.list(Pod.self).count { $0.nodeName != nil } == 20 }
            #expect(client.lists == lists)
            let nodes = Dictionary(grouping: try await api.list(Pod.self)) { $0.nodeName ?? "" }
            #expect(nodes.mapValues(\.count) == ["n1": 10, "n2": 10], "each placing knows of those before it")
        }
    }

    @Test("no node gets more pods than it has room for, and one that goes makes room for one that waits")
    func room() async throws {
        for name in ["n1", "n2"] {
            try await api.mutateStatus(Node.self, ObjectKey("", name)) { $0.status["allocatable"] = ["pods": "2", "cpu": "1"] }
        }
        try await controlling([Scheduler()]) { _ in
            func bound() async throws -> [Pod] { try await api.list(Pod.self).filter { $0.nodeName != nil } }
            for index in 0..<7 {
                var pod = Fixture.pod("p\(index)")
                if index > 4 {
                    pod["spec"]["containers"] = [["name": "main", "image": "httpd", "resources": ["requests": ["cpu": "800m"]]]]
                }
                _ = try await api.create(.pods, pod)
            }
            try await eventually("four have a place and three are refused") {
                let waiting = try await api.list(Pod.self).filter { $0.status["conditions"].condition("PodScheduled") == "False" }
                return try await bound().count == 4 && waiting.count == 3
            }
            for left in [6, 5, 4, 3] {
                let victim = try #require(try await bound().first)
                try await api.delete(.pods, victim.key, gracePeriod: 0, uid: victim.uid)
                try await eventually("the place is taken again") { try await bound().count == min(left, 4) }
                let cpu = Dictionary(grouping: try await bound().filter { !$0.spec["containers"][0]["resources"]["requests"].isNull }) {
                    $0.nodeName ?? ""
                }
                #expect(cpu.values.allSatisfy { $0.count == 1 }, "two that want most of a node are on two")
            }
        }
    }

    @Test("a pod that is relabelled leaves the endpoints of its Service, though the watch tells only what it is now")
    func relabelled() async throws {
        _ = try await api.create(.services, Fixture.service("web"))
        _ = try await api.create(.pods, Fixture.pod("a", labels: ["app": "web"], node: "n1"))
        try await api.mutateStatus(Pod.self, Fixture.key("a")) { $0.status = ["phase": "Running", "podIP": "10.244.1.2"] }
        func endpoints() async throws -> Int { try await api.list(EndpointSlice.self).reduce(0) { $0 + $1.endpoints.count } }
        try await controlling([EndpointsReconciler()]) { _ in
            try await eventually("it is there") { try await endpoints() == 1 }
            _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["labels": ["app": "other"]]])
            try await eventually("it is gone") { try await endpoints() == 0 }
        }
    }

    @Test("what the garbage collector could not read it looks at again")
    func garbage() async throws {
        let clock = ManualClock()
        let owner = try await api.create(.configMaps, Fixture.configMap("owner"))
        var dependent = Fixture.configMap("dependent")
        dependent["metadata"]["ownerReferences"] = [
            ["apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": .string(owner.metadata.uid)]
        ]
        _ = try await api.create(.configMaps, dependent)
        let collector = GarbageCollector(client: client, kinds: { [.configMaps] }, clock: clock, report: { _ in })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await collector.run() }
            try await eventually("it follows") {
                let idle = await api.store.idleWatchers
                return clock.sleepers == 2 && idle == 1
            }
            client.refuseGets(2)
            try await api.delete(.configMaps, Fixture.key("owner"))
            try await eventually("the dependent is gone") {
                clock.pass(.seconds(1))
                return try await api.find(.configMaps, Fixture.key("dependent")) == nil
            }
            group.cancelAll()
        }
    }

    @Test("an event owns what names it, though the garbage collector does not follow events, and waits for nobody")
    func eventOwner() async throws {
        let event = try await api.create(
            .events,
            [
                "metadata": ["name": "e", "namespace": "default"],
                "involvedObject": ["kind": "Pod", "namespace": "default", "name": "p"], "reason": "Started",
            ])
        for (name, uid) in [("kept", event.metadata.uid), ("left", "another")] {
            var dependent = Fixture.configMap(name)
            dependent["metadata"]["ownerReferences"] = [["apiVersion": "v1", "kind": "Event", "name": "e", "uid": .string(uid)]]
            _ = try await api.create(.configMaps, dependent)
        }
        let collector = GarbageCollector(client: api, kinds: { api.catalog.followed }, report: { _ in })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await collector.run() }
            try await eventually("what no event owns is gone") { try await api.find(.configMaps, Fixture.key("left")) == nil }
            _ = try await api.patch(.configMaps, Fixture.key("kept"), ["data": ["a": "b"]])
            try await Task.sleep(for: .milliseconds(50))
            #expect(try await api.find(.configMaps, Fixture.key("kept")) != nil)
            group.cancelAll()
        }
        let kind = try #require(api.catalog.kinds.first { $0.resource == .events })
        var options = DeleteOptions()
        options.propagation = .foreground
        _ = try await api.delete(kind, Fixture.key("e"), options)
        #expect(try await api.find(.events, Fixture.key("e")) == nil)
    }

    @Test("events go an hour after they last happened")
    func expiry() async throws {
        let clock = ManualClock(), end = Fixture.time.seconds - EventExpiry.age
        func event(_ name: String, _ more: JSON) async throws {
            var object: JSON = [
                "metadata": ["name": .string(name), "namespace": "default", "creationTimestamp": "2020-01-01T00:00:00Z"],
                "involvedObject": ["kind": "Pod", "namespace": "default", "name": "p"], "reason": "Started",
            ]
            for (key, value) in more.object ?? JSONObject() { object[key] = value }
            _ = try await api.store.create(.events, object)
        }
        func time(_ seconds: Int) -> JSON { .string(Timestamp(seconds: seconds).description) }
        try await event("old", ["lastTimestamp": time(end - 1)])
        try await event("ancient", .emptyObject)
        try await event("again", ["lastTimestamp": time(end - 1), "series": ["lastObservedTime": time(end + 1)]])
        try await event("new", ["eventTime": time(end + 1)])
        let expiry = EventExpiry(store: api.store, clock: clock, now: { Fixture.time }, report: { _ in })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await expiry.run() }
            try await eventually("it has looked") { clock.sleepers == 1 }
            #expect(try await api.store.list(.events).items.map(\.metadata.name) == ["again", "new"])
            try await event("late", .emptyObject)
            clock.pass(.seconds(600))
            try await eventually("it looks again") { try await api.store.list(.events).items.count == 2 }
            group.cancelAll()
        }
    }
}
