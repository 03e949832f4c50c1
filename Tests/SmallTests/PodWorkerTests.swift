import Foundation
import Glibc
import Host
import Model
import Runtime
import SandboxCases
import ShimProtocol
import Testing

@Suite("A pod's worker", .timeLimit(.minutes(2)))
struct PodWorkerTests {
    @Test("the tests' sandboxes keep what the real ones keep")
    func contract() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "m-\(UUID().uuidString.prefix(8))").path
        defer { Files.removeTree(root) }
        var container = ContainerSpec()
        container.name = "main"
        container.process.argv = ["sleep", "1000"]
        try await SandboxContract(
            FakeSandboxes(paths: ClusterPaths(cluster: "c", below: root)), request: SandboxRequest(uid: "u", hostname: "h", nodeProcess: 1),
            container: container
        ).check()
    }

    @Test("runs its pod, and takes everything back when the pod is deleted")
    func life() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            #expect(node.tables.admitted.keys.sorted() == [pod.uid])
            #expect(node.network.attached == node.tables.admitted)
            try await node.api.delete(.pods, pod.key)
            try await eventually("it is gone") { try await node.pod("a") == nil }
            #expect(node.tables.admitted.isEmpty && node.network.attached.isEmpty && node.sandboxes.living == 0)
            #expect(!Files.exists(node.paths.podState(pod.uid)) && !Files.exists(node.paths.podRun(pod.uid)))
        }
    }

    @Test("the namespaces that a pod is to share are asked for")
    func namespaces() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pods = [
                try await node.create("a"), try await node.create("b") { $0["spec"]["shareProcessNamespace"] = true },
                try await node.create("c") {
                    $0["spec"]["hostPID"] = true
                    $0["spec"]["hostIPC"] = true
                },
            ]
            for pod in pods { try await eventually("\(pod.name) runs") { try await node.isRunning(pod.name) } }
            func settings(_ pod: Pod) -> Set<SandboxSetting> {
                Set(node.sandboxes.requests.first { $0.uid == pod.uid }?.settings ?? []).intersection([.nodeIPC, .podProcesses])
            }
            #expect(pods.map(settings) == [[], [.podProcesses], [.nodeIPC]])
            #expect(pods.map { node.sandboxes.shim($0.uid)?.specs.map(\.processes) } == [[.own], [.pod], [.node]])
        }
    }

    @Test("a kernel that refuses once delays a pod by a second, and leaves nothing half-made")
    func refusedTables() async throws {
        let node = try await EmulatedNode()
        node.tables.refuse(1)
        node.network.refuse(1)
        try await node.following {
            try await node.create("a")
            let seconds = try await node.passing(until: "it runs") { try await node.isRunning("a") }
            #expect(seconds >= 1 && seconds <= 4)
            #expect(node.sandboxes.living == 1)
            #expect(
                try await node.events("FailedCreatePodSandBox").contains {
                    $0["message"].string == "Failed to create pod sandbox: the kernel refuses"
                })
        }
    }

    @Test("an error of the API while its sandbox cannot be made does not give the pod up")
    func refusedAPI() async throws {
        let node = try await EmulatedNode()
        node.sandboxes.refuse(2)
        try await node.following {
            try await node.create("a")
            try await eventually("the first attempt failed") { try await !node.events("FailedCreatePodSandBox").isEmpty }
            node.client.refuse(.get(.pods), 3)
            try await node.passing(until: "it runs") { try await node.isRunning("a") }
            #expect(node.client.remaining(.get(.pods)) == 0)
        }
    }

    @Test("a pod that is deleted while its sandbox cannot be made goes within a second")
    func deletedUnmade() async throws {
        let node = try await EmulatedNode()
        node.sandboxes.refuse(1000)
        try await node.following {
            let pod = try await node.create("a")
            try await node.passing(until: "it waits long") {
                try await (node.events("FailedCreatePodSandBox").first?["count"].int ?? 0) >= 5
            }
            #expect(try await node.pod("a")?.status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating")
            try await node.api.delete(.pods, pod.key)
            let seconds = try await node.passing(until: "it is gone") { try await node.pod("a") == nil }
            #expect(seconds <= 2)
        }
    }

    @Test("a shim that dies takes its containers along: they begin anew, counted, in another sandbox")
    func deadShim() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            node.sandboxes.shim(pod.uid)?.kill()
            try await node.passing(until: "it runs again") {
                let now = try await node.pod("a")?.status["containerStatuses"].items.first
                return now?["restartCount"].int == 1 && now?["state"]["running"].isNull == false
            }
            #expect(node.sandboxes.created == 2 && node.sandboxes.living == 1)
            #expect(try await node.events("SandboxChanged").count == 1)
            let last = try await node.pod("a")?.status["containerStatuses"].items.first?["lastState"]["terminated"]
            #expect(last?["exitCode"].int == 137)
        }
    }

    @Test("a pod that is never to restart has failed when its shim died")
    func deadShimNever() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a") { $0["spec"]["restartPolicy"] = "Never" }
            try await eventually("it runs") { try await node.isRunning("a") }
            node.sandboxes.shim(pod.uid)?.kill()
            try await eventually("it has failed") { try await node.pod("a")?.phase == "Failed" }
            #expect(node.sandboxes.created == 1)
            #expect(try await node.pod("a")?.status["podIP"].isNull == false, "the last word keeps its address")
        }
    }

    @Test("a shim that is silent is ended when its time is up, and not before")
    func silentShim() async throws {
        let node = try await EmulatedNode()
        node.sandboxes.beSilent(true)
        try await node.following {
            try await node.create("a")
            try await eventually("the shim was asked") { node.sandboxes.created == 1 && node.clock.sleepers > 0 }
            node.sandboxes.beSilent(false)
            let seconds = try await node.passing(until: "it runs") { try await node.isRunning("a") }
            #expect((120...125).contains(seconds))
            let words = "Pod sandbox did not start container main within 120s and is killed"
            #expect(try await node.events("SandboxNotResponding").map { $0["message"].string } == [words])
        }
    }

    @Test("a status that conflicts, however often, is written in the end")
    func conflicts() async throws {
        let node = try await EmulatedNode()
        node.client.refuse(.updateStatus(.pods), 20, .conflict(.pods, "a"))
        try await node.following {
            try await node.create("a")
            try await node.passing(until: "it runs") { try await node.isRunning("a") }
            #expect(node.client.remaining(.updateStatus(.pods)) == 0)
        }
    }

    @Test("a pod is where it is, whatever others write of it")
    func misplaced() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            let address = try #require(try await node.pod("a")?.status["podIP"])
            try await node.api.mutateStatus(Pod.self, pod.key) {
                $0.status["podIP"] = "192.0.2.9"
                $0.status["podIPs"] = [["ip": "192.0.2.9"]]
                $0.status["hostIP"] = "192.0.2.9"
            }
            try await eventually("its agent has said again where it is") {
                guard let status = try await node.pod("a")?.status else { return false }
                return status["podIP"] == address && status["podIPs"] == [["ip": address]] && status["hostIP"] != "192.0.2.9"
            }
            try await node.api.delete(.pods, pod.key)
            try await eventually("it is gone") { try await node.pod("a") == nil }
        }
    }

    @Test("the last word on a pod that has ended comes through, although the API failed when it was due")
    func lastWord() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a") { $0["spec"]["restartPolicy"] = "Never" }
            try await eventually("it runs") { try await node.isRunning("a") }
            node.client.refuse(.updateStatus(.pods), 2)
            node.sandboxes.shim(pod.uid)?.end("main", code: 0)
            try await node.passing(until: "it has succeeded") { try await node.pod("a")?.phase == "Succeeded" }
            #expect(try await node.pod("a")?.ip != nil, "it keeps its address")
        }
    }

    @Test("a record that cannot be deleted now is deleted later")
    func undeleted() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            node.client.refuse(.delete(.pods), 2)
            try await node.api.delete(.pods, pod.key)
            try await node.passing(until: "it is gone") { try await node.pod("a") == nil }
            #expect(node.sandboxes.living == 0 && node.tables.admitted.isEmpty)
        }
    }

    @Test("links that the kernel keeps once go with the next try, and their address is used again")
    func keptLinks() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            let pod = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            node.network.refuse(1)
            try await node.api.delete(.pods, pod.key)
            try await node.passing(until: "it is gone") { try await node.pod("a") == nil }
            #expect(node.network.attached.isEmpty)
        }
    }

    @Test("a volume that could not be brought up to date is told, and follows later")
    func volumes() async throws {
        let node = try await EmulatedNode()
        _ = try await node.api.create(.configMaps, Fixture.configMap("settings", ["key": "old"]))
        try await node.following {
            let pod = try await node.create("a") {
                $0["spec"]["volumes"] = [["name": "v", "configMap": ["name": "settings"]]]
                $0["spec"]["containers"] = [["name": "main", "image": "busybox", "volumeMounts": [["name": "v", "mountPath": "/v"]]]]
            }
            let file = "\(node.paths.podState(pod.uid))/volumes/v/key"
            try await eventually("it runs") { try await node.isRunning("a") }
            #expect(Files.text(file) == "old")
            node.client.refuse(.get(.configMaps), 2)
            _ = try await node.api.update(.configMaps, Fixture.configMap("settings", ["key": "new"]))
            try await node.passing(until: "the volume follows") { Files.text(file) == "new" }
            #expect(
                try await node.events("FailedMount").map { $0["message"].string } == [
                    "MountVolume.SetUp failed for volume \"v\" : try again later"
                ])
        }
    }

    @Test("an agent that goes leaves its pods as they are; the next takes them over, although its kernel refuses at first")
    func adoption() async throws {
        let node = try await EmulatedNode()
        try await node.following {
            try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
        }
        #expect(node.sandboxes.living == 1 && node.tables.released.isEmpty)
        node.tables.refuse(2)
        try await node.following {
            try await node.passing(until: "it is taken over") { !node.tables.admitted.isEmpty && node.client.remaining(.get(.pods)) == 0 }
            try await Task.sleep(for: .milliseconds(100))
            #expect(try await node.isRunning("a"))
            #expect(try await node.pod("a")?.status["containerStatuses"].items.first?["restartCount"] == 0)
        }
        #expect(node.sandboxes.created == 1 && node.sandboxes.living == 1 && node.tables.released.isEmpty)
    }

    @Test("what ran when the agent and its sandboxes ended together is counted as a restart, and when that was is known")
    func lostTogether() async throws {
        let node = try await EmulatedNode()
        let pod = try await node.create("a"), once = try await node.create("once") { $0["spec"]["restartPolicy"] = "Never" }
        try await node.following {
            for name in ["a", "once"] { try await eventually("they run") { try await node.isRunning(name) } }
        }
        for uid in [pod.uid, once.uid] { node.sandboxes.shim(uid)?.kill() }
        try await node.following {
            try await eventually("it runs again") { node.sandboxes.created == 3 }
            try await eventually("it is counted") { try await node.pod("a")?.status["containerStatuses"].items.first?["restartCount"] == 1 }
            let last = try await node.pod("a")?.status["containerStatuses"].items.first?["lastState"]["terminated"]
            #expect(
                last?["reason"].string == "ContainerStatusUnknown" && last?["exitCode"].int == 137 && last?["finishedAt"].isNull == false)
            try await eventually("the one that never restarts has failed") { try await node.pod("once")?.phase == "Failed" }
        }
    }

    @Test("a force-deleted pod's successor keeps what it got, while its forerunner ends")
    func successor() async throws {
        let node = try await EmulatedNode()
        node.sandboxes.beDeaf(true)
        try await node.following {
            let old = try await node.create("a")
            try await eventually("it runs") { try await node.isRunning("a") }
            try await node.api.delete(.pods, old.key, gracePeriod: 0, uid: nil)
            node.sandboxes.beDeaf(false)
            let new = try await node.create("a")
            try await eventually("the successor runs") { try await node.isRunning("a") }
            try await node.passing(until: "the old one is gone") {
                node.tables.released.contains(old.uid) && !Files.exists(node.paths.podState(old.uid))
            }
            #expect(node.tables.admitted.keys.sorted() == [new.uid] && node.network.attached.keys.sorted() == [new.uid])
            #expect(node.sandboxes.living == 1)
            #expect(try await node.pod("a")?.uid == new.uid)
        }
    }
}

@Suite("What a pod's worker is told")
struct PodInboxTests {
    @Test("only the newest of a kind is kept, in the order of the first")
    func newest() async throws {
        let inbox = PodInbox()
        for number in 0..<1000 {
            inbox.post(.changed(Pod(["metadata": ["generation": .int(number)]])))
            inbox.post(.configurationChanged)
            inbox.post(.input(.probed(container: "main", ready: number % 2 == 0)))
            inbox.post(.input(.timer(.graceEnds)))
        }
        #expect(inbox.count == 4)
        #expect(inbox.newest?.generation == 999)
        guard case .changed(let pod) = await inbox.next() else { return #expect(Bool(false), "the spec came first") }
        #expect(pod.generation == 999)
        guard case .configurationChanged = await inbox.next(), case .input(.probed(_, false)) = await inbox.next() else {
            return #expect(Bool(false), "each in its place")
        }
    }

    @Test("who tells of containers' lives waits for room, and is let go when nobody reads any more")
    func room() async throws {
        let inbox = PodInbox()
        let telling = Task { for _ in 0..<200 { await inbox.send(.input(.sandboxReady)) } }
        try await eventually("it is full") { inbox.count == PodInbox.room }
        try await Task.sleep(for: .milliseconds(20))
        #expect(inbox.count == PodInbox.room)
        for _ in 0..<100 { _ = await inbox.next() }
        try await eventually("it is full again") { inbox.count == PodInbox.room }
        inbox.close()
        await telling.value
        #expect(inbox.count == 0)
    }
}
