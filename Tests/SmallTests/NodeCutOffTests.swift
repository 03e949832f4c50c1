import API
import Host
import Model
import Runtime
import Testing

@Suite("A node that is cut off, stands still or boots", .timeLimit(.minutes(2)))
struct NodeCutOffTests {
    private func renewed(_ node: EmulatedNode) async throws -> String? {
        try await node.api.find(.leases, ObjectKey("kube-node-lease", "n1"))?["spec"]["renewTime"].string
    }

    @Test("while its link is cut it says nothing and its pods go on; what was deleted meanwhile ends when it hears of it")
    func cut() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let kept = try await node.create("kept"), gone = try await node.create("gone")
            try await node.passing(until: "both run") {
                let areRunning = (try await node.isRunning("kept"), try await node.isRunning("gone"))
                let lease = try await self.renewed(node)
                return areRunning == (true, true) && lease != nil
            }
            node.isLinked = false
            let last = try await self.renewed(node), restarts = node.sandboxes.living
            try await node.api.delete(.pods, gone.key)
            // As the node's life cycle has it.
            try await node.api.mutateStatus(Pod.self, kept.key) { $0.status["conditions"].setCondition("Ready", false, now: Fixture.time) }
            for _ in 0..<60 {
                node.clock.pass(.seconds(1))
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(try await self.renewed(node) == last, "who is cut off gives no sign of life")
            #expect(node.sandboxes.living == restarts, "all that ran runs")
            #expect(try await node.pod("gone")?.isBeingDeleted == true, "nobody but its node may say that it has ended")
            #expect(try await node.pod("kept")?.isReady == false)
            node.isLinked = true
            try await node.passing(until: "it catches up") {
                let isGone = try await node.pod("gone") == nil, isReady = try await node.pod("kept")?.isReady == true
                let now = try await self.renewed(node)
                return isGone && isReady && now != last
            }
            #expect(node.sandboxes.living == 1)
            #expect(try await node.pod("kept")?.status["containerStatuses"][0]["restartCount"].int == 0)
        }
    }

    @Test("a container that ends while the link is cut begins anew, with what its pod's configuration was when it was last read")
    func restart() async throws {
        let node = try await EmulatedNode()
        _ = try await node.api.create(.configMaps, Fixture.configMap("settings", ["colour": "red"]))
        try await node.following {
            let pod = try await node.create("a") { pod in
                pod["spec"]["containers"] = [
                    [
                        "name": "main", "image": "busybox",
                        "env": [["name": "COLOUR", "valueFrom": ["configMapKeyRef": ["name": "settings", "key": "colour"]]]],
                    ]
                ]
            }
            try await node.passing(until: "it runs") { try await node.isRunning("a") }
            node.isLinked = false
            node.sandboxes.shim(pod.uid)?.end("main", code: 1)
            try await node.passing(until: "it runs again") { node.sandboxes.shim(pod.uid)?.specs.count == 2 }
            let environment = node.sandboxes.shim(pod.uid)?.specs.last?.process.environment ?? []
            #expect(environment.contains("COLOUR=red"))
            #expect(environment.contains { $0.hasPrefix("KUBERNETES_SERVICE_HOST=") } == false, "there is no such Service here")
            node.isLinked = true
            try await node.passing(until: "its restart is told") {
                try await node.pod("a")?.status["containerStatuses"][0]["restartCount"].int == 1
            }
        }
    }

    @Test("pods that went while no agent ran are wound up by the next one; those that are there go on")
    func away() async throws {
        let node = try await EmulatedNode()
        let ran = try await node.following {
            for name in ["a", "b"] { try await node.create(name) }
            try await node.passing(until: "both run") { node.sandboxes.living == 2 }
        }
        #expect(ran.map(\.name).sorted() == ["a", "b"])
        try await node.api.delete(.pods, Fixture.key("a"), gracePeriod: 0, uid: nil)
        try await node.following(after: ran) {
            try await node.passing(until: "one is wound up") { node.sandboxes.living == 1 }
            try await node.passing(until: "its address is free") { node.network.attached.count == 1 && node.tables.admitted.count == 1 }
            try await node.passing(until: "the other goes on") { try await node.isRunning("b") }
        }
        for pod in ran where pod.name == "a" { #expect(!Files.exists(node.paths.podRun(pod.uid))) }
    }

    @Test("a node that has booted says so, once")
    func reboot() async throws {
        let node = try await EmulatedNode()
        try Files.makeDirectory("\(node.paths.run)/nodes")
        for boot in ["one", "two", "two"] {
            try Files.write(boot, to: node.paths.nodeBoot("n1"))
            try await node.following {
                try await node.passing(until: "it is registered") {
                    try await node.api.get(Node.self, ObjectKey("", "n1")).status["nodeInfo"]["bootID"].string == boot
                }
            }
        }
        let events = try await node.events("Rebooted")
        #expect(events.map { $0["message"] } == ["Node n1 has been rebooted, boot id: two"])
        #expect(events.map { $0["type"] } == ["Warning"] && events.map { $0["count"] } == [1])
    }
}
