import API
import Controllers
import Model
import Testing

/// A Job called `work` and its controller; the tests play the kubelet.
private struct JobBench {
    let api: APIServer
    let clock = StandingClock()
    private let reconciler: JobReconciler
    private let key = Fixture.key("work")

    init(_ spec: JSON) async throws {
        api = try await Fixture.api()
        reconciler = JobReconciler(now: { [clock] in clock.now })
        var job: JSON = ["apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "work", "namespace": "default"], "spec": spec]
        job["spec"]["template"] = ["spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "busybox"]]]]
        _ = try await api.create(.jobs, job)
        try await look()
    }

    func look() async throws { try await reconciler.reconcile(key, api) }
    func nextVisit() async throws -> Duration? { try await reconciler.nextVisit(key, api) }

    func pass(_ seconds: Int) async throws {
        clock.pass(seconds)
        try await look()
    }

    func status() async throws -> JSON { try await api.get(.jobs, key)["status"] }
    func pods() async throws -> [Pod] {
        try await api.list(Pod.self).sorted { ($0.labels[index] ?? $0.name) < ($1.labels[index] ?? $1.name) }
    }
    func active() async throws -> [Pod] { try await pods().filter(\.isActive) }
    func change(_ spec: JSON) async throws { _ = try await api.patch(.jobs, key, ["spec": spec]) }

    /// A pod's container ends, and the controller looks.
    func end(_ pod: Pod, code: Int = 0) async throws {
        let time = clock.now.description
        try await api.mutateStatus(Pod.self, pod.key) { pod in
            pod.status["phase"] = code == 0 ? "Succeeded" : "Failed"
            pod.status["containerStatuses"] = [
                ["name": "c", "state": ["terminated": ["exitCode": .int(code), "finishedAt": .string(time)]]]
            ]
        }
        try await look()
    }

    func condition(_ type: String) async throws -> JSON {
        try await status()["conditions"].items.first { $0["type"].string == type } ?? .null
    }
}

private let index = "batch.kubernetes.io/job-completion-index"
private let tracking = JSON.string("batch.kubernetes.io/job-tracking")

@Suite("Controllers: a Job and its pods")
struct JobControl {
    @Test("a pod that failed is replaced after ten seconds, the next after twenty; a success ends that")
    func backoff() async throws {
        let bench = try await JobBench(["completions": 2, "parallelism": 1])
        for wait in [10, 20] {
            try await bench.end(try #require(try await bench.active().first), code: 1)
            try await bench.pass(wait - 1)
            #expect(try await bench.active().isEmpty)
            try await bench.pass(1)
            #expect(try await bench.active().count == 1)
        }
        try await bench.end(try #require(try await bench.active().first))
        #expect(try await bench.active().count == 1, "at once")
        try await bench.end(try #require(try await bench.active().first))
        let status = try await bench.status()
        #expect(
            status["succeeded"].int == 2 && status["failed"].int == 2 && status["conditions"].condition("Complete") == "True", "\(status)")
        #expect(try await bench.pods().allSatisfy { !$0.json["metadata"]["finalizers"].items.contains(tracking) })
    }

    @Test("a deadline may be the largest number, and the start in the future", arguments: [0, -1000, 1_000_000])
    func deadlines(_ seconds: Int) async throws {
        let bench = try await JobBench(["completions": 1, "activeDeadlineSeconds": .int(.max)])
        var job = try await bench.api.get(.jobs, Fixture.key("work"))
        job["status"]["startTime"] = .string(Timestamp(seconds: bench.clock.now.seconds + seconds).description)
        _ = try await bench.api.updateStatus(.jobs, job)
        try await bench.pass(10)
        #expect(try await bench.active().count == 1)
        #expect(try await bench.nextVisit() == .seconds(86400), "nobody can sleep longer than some 292 years")
    }

    @Test("many pods come in parts")
    func parts() async throws {
        let bench = try await JobBench(["completions": .int(Int(Int32.max)), "parallelism": .int(Int(Int32.max))])
        #expect(try await bench.active().count == 500)
        try await bench.look()
        #expect(try await bench.active().count == 1000)
        #expect(try await bench.status()["active"].int == 1000)
    }

    @Test("more failures than the limit end it")
    func limit() async throws {
        let bench = try await JobBench(["completions": 1, "backoffLimit": 0])
        try await bench.end(try #require(try await bench.active().first), code: 1)
        #expect(try await bench.condition("Failed")["reason"].string == "BackoffLimitExceeded")
        #expect(try await bench.condition("FailureTarget")["reason"].string == "BackoffLimitExceeded")
        try await bench.pass(1000)
        #expect(try await bench.active().isEmpty)
    }

    @Test(
        "the first rule of a failure policy that a pod matches counts", arguments: [(3, "Failed", 1), (4, "", 0), (5, "", 1), (6, "", 1)])
    func failurePolicy(_ code: Int, _ condition: String, _ failed: Int) async throws {
        func rule(_ action: JSON, _ code: Int) -> JSON { ["action": action, "onExitCodes": ["operator": "In", "values": [.int(code)]]] }
        let rules = JSON.array([rule("FailJob", 3), rule("Ignore", 4), rule("Count", 5), rule("FailJob", 5)])
        let bench = try await JobBench(["completions": 1, "podFailurePolicy": ["rules": rules]])
        let pod = try #require(try await bench.active().first)
        try await bench.end(pod, code: code)
        let status = try await bench.status()
        #expect(
            status["failed"].int ?? 0 == failed && status["conditions"].condition("Failed") == (condition.isEmpty ? nil : "True"),
            "\(status)")
        guard condition == "Failed" else { return }
        #expect(
            try await bench.condition("Failed")["message"].string
                == "Container c for pod default/\(pod.name) failed with exit code 3 matching FailJob rule at index 0")
    }

    @Test("each index has its own limit, and its pods tell how often it failed")
    func limitPerIndex() async throws {
        let bench = try await JobBench(["completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1])
        var pods = try await bench.active()
        #expect(pods.map { $0.labels[index] } == ["0", "1"])
        try await bench.end(pods[0], code: 1)
        #expect(try await bench.status()["failed"].isNull, "the pod is kept for its successor")
        try await bench.pass(10)
        pods = try await bench.active()
        #expect(pods.map { $0.annotations["batch.kubernetes.io/job-index-failure-count"] } == ["1", "0"])
        try await bench.end(pods[0], code: 1)
        #expect(try await bench.status()["failedIndexes"].string == "0")
        try await bench.pass(1000)
        #expect(try await bench.active().map { $0.labels[index] } == ["1"])
        try await bench.end(pods[1])
        let status = try await bench.status()
        #expect(try await bench.condition("Failed")["reason"].string == "FailedIndexes")
        #expect(status["completedIndexes"].string == "1" && status["failed"].int == 2 && status["succeeded"].int == 1, "\(status)")
    }

    @Test("more failed indexes than may be end it, and the pods of the others")
    func failedIndexes() async throws {
        let bench = try await JobBench([
            "completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 0, "maxFailedIndexes": 0,
        ])
        try await bench.end(try await bench.active()[1], code: 1)
        try await bench.look()
        #expect(try await bench.condition("Failed")["reason"].string == "MaxFailedIndexesExceeded")
        #expect(try await bench.status()["failedIndexes"].string == "1")
        #expect(try await bench.active().isEmpty)
    }

    @Test(
        "a success policy is met by its indexes, or enough of them",
        arguments: [
            (["succeededIndexes": "0,2"], [2, 0]), (["succeededIndexes": "0-2", "succeededCount": 2], [1, 2]), (["succeededCount": 1], [1]),
        ] as [(JSON, [Int])])
    func successPolicy(_ rule: JSON, _ ends: [Int]) async throws {
        let bench = try await JobBench([
            "completions": 4, "parallelism": 4, "completionMode": "Indexed", "successPolicy": ["rules": [["succeededIndexes": "3"], rule]],
        ])
        let pods = try await bench.active()
        for number in ends {
            #expect(try await bench.condition("SuccessCriteriaMet").isNull)
            try await bench.end(pods[number])
        }
        try await bench.look()
        let condition = try await bench.condition("Complete"), status = try await bench.status()
        #expect(condition["reason"].string == "SuccessPolicy" && condition["message"].string == "Matched rules at index 1", "\(status)")
        #expect(status["succeeded"].int == ends.count && status["failed"].isNull && status["active"].isNull)
        #expect(try await bench.active().isEmpty)
    }

    @Test("a pod that was noted but not released when the daemon ended counts once")
    func exactCounts() async throws {
        let bench = try await JobBench(["completions": 1])
        let pod = try #require(try await bench.active().first)
        var job = try await bench.api.get(.jobs, Fixture.key("work"))
        job["status"]["uncountedTerminatedPods"] = ["failed": [.string(pod.uid)]]
        _ = try await bench.api.updateStatus(.jobs, job)
        try await bench.end(pod, code: 1)
        let status = try await bench.status()
        #expect(status["failed"].int == 1 && status["uncountedTerminatedPods"] == .emptyObject, "\(status)")
    }

    @Test("a suspended job has no pods, none of which failed, and no time of start")
    func suspension() async throws {
        let bench = try await JobBench(["completions": 2, "parallelism": 2, "activeDeadlineSeconds": 100])
        #expect(try await bench.active().count == 2)
        try await bench.change(["suspend": true])
        try await bench.look()
        try await bench.pass(1000)
        var status = try await bench.status()
        #expect(
            status["active"].isNull && status["failed"].isNull && status["startTime"].isNull
                && status["conditions"].condition("Suspended") == "True", "\(status)")
        #expect(try await bench.pods().isEmpty)
        try await bench.change(["suspend": false])
        try await bench.look()
        status = try await bench.status()
        #expect(
            status["startTime"].string == bench.clock.now.description && status["conditions"].condition("Suspended") == "False", "\(status)"
        )
        #expect(try await bench.active().count == 2)
        try await bench.pass(100)
        #expect(try await bench.condition("FailureTarget")["reason"].string == "DeadlineExceeded")
    }

    @Test(
        "a pod on its way out has a successor at once or after its end, as podReplacementPolicy says",
        arguments: [("Failed", 0), ("TerminatingOrFailed", 1)])
    func replacement(_ policy: String, _ successors: Int) async throws {
        let bench = try await JobBench(["completions": 1, "podReplacementPolicy": .string(policy)])
        let pod = try #require(try await bench.active().first)
        _ = try await bench.api.patch(
            .pods, pod.key, ["spec": ["nodeName": "node1"], "metadata": ["finalizers": [tracking, "example.com/held"]]])
        try await bench.api.delete(.pods, pod.key)
        try await bench.look()
        try await bench.pass(60)
        #expect(try await bench.active().count == successors)
        #expect(try await bench.status()["terminating"].int == 1)
        #expect(try await bench.status()["failed"].int ?? 0 == successors)
    }

    @Test("a pod without an owner is adopted with the finalizer, one that is relabelled let go without it")
    func adoption() async throws {
        let bench = try await JobBench(["completions": 1])
        let pod = try #require(try await bench.active().first)
        _ = try await bench.api.patch(.pods, pod.key, ["metadata": ["ownerReferences": [], "finalizers": []]])
        try await bench.look()
        let adopted: Pod = try await bench.api.get(Pod.self, pod.key)
        #expect(adopted.controllerOwner?.name == "work" && adopted.json["metadata"]["finalizers"] == [tracking])
        #expect(try await bench.active().count == 1)
        _ = try await bench.api.patch(.pods, pod.key, ["metadata": ["labels": ["batch.kubernetes.io/controller-uid": "another"]]])
        try await bench.look()
        let released: Pod = try await bench.api.get(Pod.self, pod.key)
        #expect(released.controllerOwner == nil && released.json["metadata"]["finalizers"].items.isEmpty)
        #expect(try await bench.active().count == 2, "another took its place")
    }

    @Test("the pods of a job that is gone lose their finalizer")
    func orphans() async throws {
        let bench = try await JobBench(["completions": 1])
        try await bench.api.delete(.jobs, Fixture.key("work"))
        try await bench.look()
        #expect(try await bench.pods().allSatisfy { $0.json["metadata"]["finalizers"].items.isEmpty })
    }

    @Test(
        "a job that another controller manages is left alone", arguments: [("example.com/other", 0), ("kubernetes.io/job-controller", 1)])
    func managedBy(_ name: String, _ count: Int) async throws {
        let bench = try await JobBench(["completions": 1, "managedBy": .string(name)])
        #expect(try await bench.pods().count == count)
        #expect(try await bench.status()["startTime"].isNull == (count == 0))
    }

    @Test("what others write into the status stays")
    func foreignConditions() async throws {
        let bench = try await JobBench(["completions": 1])
        var job = try await bench.api.get(.jobs, Fixture.key("work"))
        job["status"]["conditions"] = [["type": "Mine", "status": "True"]]
        _ = try await bench.api.updateStatus(.jobs, job)
        try await bench.end(try #require(try await bench.active().first))
        #expect(
            try await bench.status()["conditions"].items.compactMap { $0["type"].string } == ["Mine", "SuccessCriteriaMet", "Complete"])
    }

    @Test("scheduling may change while a job is at rest, the rest of its template never")
    func templates() async throws {
        let bench = try await JobBench(["completions": 1, "suspend": true])
        let directives: [JSON] = [
            ["spec": ["nodeSelector": ["disk": "fast"]]], ["spec": ["tolerations": [["operator": "Exists"]]]],
            ["metadata": ["labels": ["a": "b"]]],
            ["spec": ["containers": [["name": "c", "image": "busybox", "resources": ["limits": ["cpu": "2"]]]]]],
            ["spec": ["affinity": ["nodeAffinity": ["preferredDuringSchedulingIgnoredDuringExecution": []]]]],
        ]
        for directive in directives { try await bench.change(["template": directive]) }
        await #expect(throws: StatusError.self) {
            try await bench.change(["template": ["spec": ["affinity": ["podAffinity": .emptyObject]]]])
        }
        await #expect(throws: StatusError.self) { try await bench.change(["template": ["spec": ["hostname": "x"]]]) }
        try await bench.change(["suspend": false])
        try await bench.look()
        for change in [
            ["spec": ["nodeSelector": ["disk": "slow"]]], ["metadata": ["labels": ["a": "c"]]],
            ["spec": ["containers": [["name": "c", "image": "busybox"]]]],
        ] as [JSON] {
            await #expect(throws: StatusError.self, "\(change.text())") { try await bench.change(["template": change]) }
        }
    }
}
