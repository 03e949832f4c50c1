import API
import Controllers
import Model
import Testing

/// A CronJob called `tick`, made a minute before the clock stands still.
private struct CronJobBench {
    let api: APIServer
    let now: Timestamp
    private let key = Fixture.key("tick")

    init(_ spec: JSON = .emptyObject, last: Int = 90) async throws {
        api = try await Fixture.api()
        now = Fixture.time
        var cron: JSON = [
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": ["name": "tick", "namespace": "default"],
            "spec": ["schedule": "* * * * *"],
        ]
        cron["spec"] = cron["spec"].merging(spec)
        cron["spec"]["jobTemplate"] = [
            "spec": ["template": ["spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "busybox"]]]]]
        ]
        var made = try await api.create(.cronJobs, cron)
        made["status"]["lastScheduleTime"] = .string(Timestamp(seconds: now.seconds - last).description)
        _ = try await api.updateStatus(.cronJobs, made)
        try await look()
    }

    func look(after seconds: Int = 0) async throws {
        let time = Timestamp(seconds: now.seconds + seconds)
        try await CronJobReconciler(now: { time }).reconcile(key, api)
    }

    func jobs() async throws -> [JSON] {
        try await api.list(.jobs, namespace: "default", selector: nil).items.sorted { $0.objectName < $1.objectName }
    }
    func status() async throws -> JSON { try await api.get(.cronJobs, key)["status"] }
    func reasons() async throws -> Set<String> {
        Set(try await api.list(.events, namespace: "default", selector: nil).items.compactMap { $0["reason"].string })
    }
    func active() async throws -> [String] { try await status()["active"].items.compactMap { $0["name"].string } }
    func name(after minutes: Int = 0) -> String { "tick-\(now.seconds / 60 + minutes)" }

    func end(_ job: JSON, _ type: String) async throws {
        var job = job
        let announcement: JSON = type == "Complete" ? "SuccessCriteriaMet" : "FailureTarget"
        job["status"]["startTime"] = .string(now.description)
        job["status"]["conditions"] = [["type": announcement, "status": "True"], ["type": .string(type), "status": "True"]]
        if type == "Complete" { job["status"]["completionTime"] = .string(now.description) }
        _ = try await api.updateStatus(.jobs, job)
    }
}

@Suite("Controllers: a CronJob and its jobs")
struct CronJobControl {
    @Test("of many times that were missed the last gets its job, once, and an Event tells")
    func missed() async throws {
        let bench = try await CronJobBench(last: 98 * 86400)
        try await bench.look()
        let jobs = try await bench.jobs()
        #expect(jobs.map(\.objectName) == [bench.name()])
        let annotations = jobs.first?["metadata"]["annotations"] ?? .null
        #expect(
            annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"].string
                == Timestamp(seconds: bench.now.seconds / 60 * 60).description)
        #expect(try await bench.reasons().isSuperset(of: ["TooManyMissedTimes", "SuccessfulCreate"]))
        #expect(try await bench.active() == [bench.name()])
    }

    @Test(
        "while a job runs the next comes beside it, not at all, or in its place",
        arguments: [("Allow", [0, 1]), ("Forbid", [0]), ("Replace", [1])])
    func concurrency(_ policy: String, _ minutes: [Int]) async throws {
        let bench = try await CronJobBench(["concurrencyPolicy": .string(policy)])
        try await bench.look(after: 60)
        let names = minutes.map { bench.name(after: $0) }
        #expect(try await bench.jobs().map(\.objectName) == names)
        #expect(try await bench.active() == names)
        #expect(try await bench.reasons().contains("JobAlreadyActive") == (policy == "Forbid"))
    }

    @Test(
        "a time beyond the starting deadline gets no job, and nobody is told; the deadline may be the largest number",
        arguments: [(5, 0), (50, 1), (.max, 1)])
    func deadline(_ seconds: Int, _ count: Int) async throws {
        // The clock stands at 20 seconds past the minute.
        let bench = try await CronJobBench(["startingDeadlineSeconds": .int(seconds)])
        try #require(bench.now.seconds % 60 > 5)
        #expect(try await bench.jobs().count == count)
        #expect(try await bench.reasons() == (count == 0 ? [] : ["SuccessfulCreate"]))
    }

    @Test("a suspended one starts nothing, until it is resumed")
    func suspended() async throws {
        let bench = try await CronJobBench(["suspend": true])
        #expect(try await bench.jobs().isEmpty)
        _ = try await bench.api.patch(.cronJobs, Fixture.key("tick"), ["spec": ["suspend": false]])
        try await bench.look()
        #expect(try await bench.jobs().map(\.objectName) == [bench.name()])
    }

    @Test(
        "jobs that ended leave the list, the oldest beyond the limits go",
        arguments: [("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")])
    func history(_ type: String, _ limit: String) async throws {
        let bench = try await CronJobBench([limit: 1])
        for minute in 1...2 {
            for job in try await bench.jobs() where !job["status"]["conditions"].items.contains(where: { $0["type"].string == type }) {
                try await bench.end(job, type)
            }
            try await bench.look(after: minute * 60)
        }
        #expect(try await bench.jobs().map(\.objectName) == [bench.name(after: 1), bench.name(after: 2)])
        #expect(try await bench.active() == [bench.name(after: 2)])
        #expect(try await bench.status()["lastSuccessfulTime"].isNull == (type == "Failed"))
        #expect(try await bench.reasons().isSuperset(of: ["SawCompletedJob", "SuccessfulDelete"]))
    }

    @Test("a job that somebody deleted leaves the list")
    func deleted() async throws {
        let bench = try await CronJobBench()
        try await bench.api.delete(.jobs, Fixture.key(bench.name()))
        try await bench.look()
        #expect(try await bench.active().isEmpty)
        #expect(try await bench.jobs().isEmpty, "its time is over")
        #expect(try await bench.reasons().contains("MissingJob"))
    }
}
