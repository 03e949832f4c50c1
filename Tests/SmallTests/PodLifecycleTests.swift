import Model
import Runtime
import ShimProtocol
import Testing

private typealias Action = PodLifecycle.Action

/// A pod's life under test: what it is told, what it does, and what it reports.
private struct Life {
    let pod: Pod
    var lifecycle: PodLifecycle
    var tearDowns = 0

    init(
        containers: [String] = ["web"], initContainers: [String] = [], restartPolicy: String = "Always", probed: Bool = false,
        startup: Bool = false,
        sidecars: Set<String> = [], status: JSON = .null
    ) {
        let startupProbe: JSON = startup ? ["tcpSocket": ["port": 80]] : .null
        let probe: JSON = probed ? ["tcpSocket": ["port": 80]] : .null
        func list(_ names: [String]) -> JSON {
            if names.isEmpty { return .null }
            return .array(
                names.map { name -> JSON in
                    [
                        "name": .string(name), "image": "httpd:2.4", "readinessProbe": probe, "startupProbe": startupProbe,
                        "restartPolicy": sidecars.contains(name) ? "Always" : .null,
                    ]
                })
        }
        pod = Pod([
            "metadata": ["name": "p", "namespace": "default", "uid": "u-1"],
            "spec": ["containers": list(containers), "initContainers": list(initContainers), "restartPolicy": .string(restartPolicy)],
            "status": status,
        ])
        lifecycle = PodLifecycle(pod)
    }

    /// What is done about `input`, events left out.
    mutating func tell(_ input: PodLifecycle.Input) -> [Action] {
        let actions = lifecycle.handle(input)
        tearDowns += actions.filter { $0 == .tearDown }.count
        return actions.filter { if case .event = $0 { false } else { true } }
    }

    mutating func start(_ name: String, at seconds: Int = 0) -> [Action] { tell(.started(Self.record(name, at: seconds))) }

    mutating func exit(_ name: String, code: Int, from start: Int = 0, to end: Int = 1, signal: Int = 0) -> [Action] {
        var record = Self.record(name, at: start)
        record.pid = 0
        record.finishedAt = Timestamp(seconds: end)
        record.exitCode = code
        record.signal = signal
        return tell(.exited(record))
    }

    static func record(_ name: String, at seconds: Int) -> ContainerRecord {
        ContainerRecord(name: name, pid: 100, startedAt: Timestamp(seconds: seconds))
    }

    var status: JSON {
        var reported = pod
        lifecycle.report(
            into: &reported, addresses: [IPAddress(ipv4: 0x0AF4_0102)], hosts: [IPAddress(ipv4: 0xC0A8_C881)],
            image: {
                PodLifecycle.ImageFacts(
                    name: ImageReference($0.image)?.description ?? "", id: "sha256:1",
                    user: ContainerUser(pod: pod, container: $0, passwd: "", group: ""))
            },
            now: Timestamp(seconds: 1000))
        return reported.status
    }

    func container(_ name: String) -> JSON {
        (status["containerStatuses"].items + status["initContainerStatuses"].items).first { $0["name"].string == name } ?? .null
    }

    /// Lets `name` crash once, and once more after its immediate restart: it is in its first back-off.
    mutating func crashLoop(_ name: String) -> [Action] {
        _ = exit(name, code: 1)
        _ = start(name)
        return exit(name, code: 1)
    }

    /// A pod with its containers running.
    static func running(_ containers: [String] = ["web"], restartPolicy: String = "Always", probed: Bool = false) -> Life {
        var life = Life(containers: containers, restartPolicy: restartPolicy, probed: probed)
        _ = life.tell(.sandboxReady)
        for name in containers { _ = life.start(name) }
        return life
    }
}

@Suite("A pod's life: starting")
struct PodStarting {
    @Test("nothing starts before the sandbox is there; then all containers in their order")
    func order() {
        var life = Life(containers: ["web", "side"])
        #expect(life.status["phase"].string == "Pending")
        #expect(life.container("web")["state"]["waiting"]["reason"].string == "ContainerCreating")
        let actions = life.tell(.sandboxReady)
        #expect(actions == [.start(container: "web"), .start(container: "side")])
        let first = life.start("web")
        #expect(first.isEmpty)
        #expect(life.status["phase"].string == "Pending", "not every container has started")
        let second = life.start("side")
        #expect(second.isEmpty)
        #expect(life.status["phase"].string == "Running")
    }

    @Test("init containers run one after the other, and the others when all are through")
    func initContainers() {
        var life = Life(containers: ["web", "side"], initContainers: ["one", "two"])
        let first = life.tell(.sandboxReady)
        #expect(first == [.start(container: "one")])
        #expect(life.container("web")["state"]["waiting"]["reason"].string == "PodInitializing")
        let none = life.start("one")
        #expect(none.isEmpty)
        #expect(life.status["conditions"].condition("Initialized") == "False")
        let second = life.exit("one", code: 0)
        #expect(second == [.start(container: "two")])
        _ = life.start("two")
        #expect(life.status["phase"].string == "Pending")
        let third = life.exit("two", code: 0)
        #expect(third == [.start(container: "web"), .start(container: "side")])
        #expect(life.status["conditions"].condition("Initialized") == "True")
        #expect(life.container("one")["state"]["terminated"]["reason"].string == "Completed")
    }

    @Test("an init container that fails is started again, and nothing else")
    func initFails() {
        var life = Life(initContainers: ["one"])
        _ = life.tell(.sandboxReady)
        _ = life.start("one")
        let actions = life.exit("one", code: 1)
        #expect(actions == [.start(container: "one")])
        #expect(life.status["phase"].string == "Pending")
    }

    @Test("with restartPolicy Never an init container that fails is the end of the pod")
    func initFailsForGood() {
        var life = Life(initContainers: ["one"], restartPolicy: "Never")
        _ = life.tell(.sandboxReady)
        _ = life.start("one")
        let actions = life.exit("one", code: 1)
        #expect(actions == [.tearDown])
        #expect(life.status["phase"].string == "Failed")
    }

    @Test("without a readiness probe a running container is ready, with one when the probe says so")
    func readiness() {
        let plain = Life.running()
        #expect(plain.container("web")["ready"].bool == true)
        #expect(plain.status["conditions"].condition("Ready") == "True")
        #expect(plain.status["podIP"].string == "10.244.1.2")
        var probed = Life.running(probed: true)
        #expect(probed.container("web")["ready"].bool == false)
        #expect(probed.status["conditions"].condition("Ready") == "False")
        #expect(probed.container("web")["started"].bool == true)
        _ = probed.tell(.probed(container: "web", ready: true))
        #expect(probed.status["conditions"].condition("Ready") == "True")
        _ = probed.tell(.probed(container: "web", ready: false))
        #expect(probed.status["conditions"].condition("Ready") == "False")
        #expect(probed.status["phase"].string == "Running")
    }

}

@Suite("A pod's life: restarts")
struct PodRestarts {
    @Test("a container that keeps ending is restarted at once, then after 10 s, doubled up to five minutes", arguments: [0, 1])
    func backOff(_ code: Int) throws {
        var life = Life.running()
        var delays: [Int] = []
        for _ in 0..<9 {
            let actions = life.exit("web", code: code)
            if actions == [.start(container: "web")] {
                delays.append(0)
            } else {
                guard case .schedule(.restart(container: "web"), let seconds)? = actions.first, actions.count == 1 else {
                    Issue.record("\(actions)")
                    return
                }
                delays.append(seconds)
                let restart = life.tell(.timer(.restart(container: "web")))
                #expect(restart == [.start(container: "web")])
            }
            let started = life.start("web")
            #expect(started.isEmpty)
        }
        #expect(delays == [0, 10, 20, 40, 80, 160, 300, 300, 300])
        #expect(life.container("web")["restartCount"].int == 9)
        #expect(life.tearDowns == 0)
    }

    @Test("ten minutes without trouble reset the back-off")
    func healthy() {
        var life = Life.running()
        _ = life.crashLoop("web")
        _ = life.tell(.timer(.restart(container: "web")))
        _ = life.start("web", at: 100)
        let actions = life.exit("web", code: 1, from: 100, to: 700)
        #expect(actions == [.start(container: "web")])
    }

    @Test("between restarts a container is in CrashLoopBackOff, and its last end is told")
    func crashLoop() {
        var life = Life.running()
        _ = life.exit("web", code: 1)
        _ = life.start("web")
        #expect(life.container("web")["restartCount"].int == 1)
        let actions = life.exit("web", code: 3, from: 5, to: 6)
        #expect(actions == [.schedule(.restart(container: "web"), seconds: 10)])
        let status = life.container("web")
        #expect(status["state"]["waiting"]["reason"].string == "CrashLoopBackOff")
        #expect(status["state"]["waiting"]["message"].string == "back-off 10s restarting failed container=web pod=p_default(u-1)")
        #expect(status["lastState"]["terminated"]["exitCode"].int == 3)
        #expect(status["lastState"]["terminated"]["reason"].string == "Error")
        #expect(status["lastState"]["terminated"]["finishedAt"].string == Timestamp(seconds: 6).description)
        #expect(status["ready"].bool == false)
        #expect(life.status["phase"].string == "Running")
    }

    @Test("restartCount counts restarts that have happened, not the one that is waited for")
    func restartCount() {
        var life = Life.running()
        _ = life.crashLoop("web")
        #expect(life.container("web")["restartCount"].int == 1)
    }

    @Test("with OnFailure success ends a container, failure restarts it")
    func onFailure() {
        var life = Life.running(["web", "side"], restartPolicy: "OnFailure")
        let failed = life.exit("web", code: 1)
        #expect(failed == [.start(container: "web")])
        _ = life.start("web")
        let done = life.exit("web", code: 0)
        #expect(done.isEmpty)
        #expect(life.container("web")["state"]["terminated"]["reason"].string == "Completed")
        #expect(life.status["phase"].string == "Running")
        let last = life.exit("side", code: 0)
        #expect(last == [.tearDown])
        #expect(life.status["phase"].string == "Succeeded")
    }

    @Test("with Never no container is restarted, and one failure makes the pod Failed", arguments: [(0, "Succeeded"), (1, "Failed")])
    func never(_ code: Int, _ phase: String) {
        var life = Life.running(["web", "side"], restartPolicy: "Never")
        let first = life.exit("web", code: code)
        #expect(first.isEmpty)
        #expect(life.status["phase"].string == "Running")
        let second = life.exit("side", code: 0)
        #expect(second == [.tearDown])
        #expect(life.status["phase"].string == phase)
        #expect(life.status["conditions"].condition("Ready") == "False")
        #expect(life.container("web")["state"]["terminated"]["exitCode"].int == code)
    }

    @Test("a startup probe holds back readiness, and its failure restarts the container")
    func startup() {
        var life = Life(startup: true)
        _ = life.tell(.sandboxReady)
        _ = life.start("web")
        #expect(life.container("web")["started"].bool == false && life.container("web")["ready"].bool == false)
        _ = life.tell(.startupDone(container: "web"))
        #expect(life.container("web")["started"].bool == true && life.container("web")["ready"].bool == true)
        let actions = life.lifecycle.handle(.unhealthy(container: "web", probe: "startup"))
        #expect(
            actions.contains(
                .event(
                    type: "Normal", reason: "Killing", message: "Container web failed startup probe, will be restarted", container: "web")))
        #expect(actions.contains(.schedule(.lastWarning(container: "web", life: 0), seconds: 30)))
        #expect(
            life.tell(.timer(.lastWarning(container: "web", life: 0))) == [.stop(container: "web", force: true)],
            "it had its time to end by itself")
        _ = life.exit("web", code: 137, signal: 9)
        _ = life.start("web", at: 2)
        #expect(life.tell(.timer(.lastWarning(container: "web", life: 0))) == [], "the next life is not the one that was warned")
    }

    @Test("a daemon that takes over a running container keeps its readiness")
    func adoptedReadiness() {
        for ready in [true, false] {
            let status: JSON = [
                "containerStatuses": [
                    [
                        "name": "web", "ready": .bool(ready),
                        "state": ["running": ["startedAt": .string(Timestamp(seconds: 50).description)]],
                    ]
                ]
            ]
            var life = Life(probed: true, status: status)
            _ = life.tell(.sandboxReady)
            _ = life.start("web", at: 50)
            #expect(life.container("web")["ready"].bool == ready)
            var other = Life(probed: true, status: status)
            _ = other.tell(.sandboxReady)
            _ = other.start("web", at: 60)
            #expect(other.container("web")["ready"].bool == false, "another life has to prove itself")
        }
    }

    @Test("a probe may give a container another time to end than the pod has")
    func probeGrace() {
        var life = Life.running()
        #expect(
            life.tell(.unhealthy(container: "web", probe: "liveness", grace: 1)).contains(
                .schedule(.lastWarning(container: "web", life: 0), seconds: 1)))
    }

    @Test("what comes after a sidecar waits for its start, not for its end; it is started again for as long as the pod lives")
    func sidecars() {
        var life = Life(initContainers: ["proxy", "setup"], restartPolicy: "OnFailure", sidecars: ["proxy"])
        #expect(life.tell(.sandboxReady) == [.start(container: "proxy")])
        #expect(life.start("proxy") == [.start(container: "setup")])
        #expect(life.status["conditions"].condition("Initialized") == "False")
        _ = life.start("setup")
        #expect(life.exit("proxy", code: 0, to: 1) == [.start(container: "proxy")], "success is no reason for a sidecar to end")
        _ = life.start("proxy", at: 1)
        #expect(life.exit("setup", code: 0) == [.start(container: "web")])
        _ = life.start("web")
        #expect(life.status["phase"].string == "Running" && life.status["conditions"].condition("Ready") == "True")
        #expect(
            life.exit("web", code: 0) == [.stop(container: "proxy", force: false), .schedule(.graceEnds, seconds: 30)],
            "a pod is not kept by its sidecars")
        #expect(life.status["phase"].string == "Running", "something of it runs yet")
        #expect(life.exit("proxy", code: 137) == [.tearDown])
        #expect(life.status["phase"].string == "Succeeded", "how a sidecar ends does not matter")
    }

    @Test("when a pod ends its sidecars end last, the first of them at the very end")
    func sidecarsEnd() {
        var life = Life(containers: ["web"], initContainers: ["first", "second"], sidecars: ["first", "second"])
        _ = life.tell(.sandboxReady)
        for name in ["first", "second", "web"] { _ = life.start(name) }
        #expect(
            life.tell(.deletionRequested(gracePeriod: 30)) == [.stop(container: "web", force: false), .schedule(.graceEnds, seconds: 30)])
        #expect(life.exit("web", code: 0) == [.stop(container: "second", force: false)])
        #expect(life.exit("second", code: 0) == [.stop(container: "first", force: false)])
        #expect(life.exit("first", code: 0) == [.tearDown])
    }

    @Test("a pod past its deadline fails as a whole; a deadline that was changed does not count")
    func deadline() {
        var life = Life.running()
        #expect(life.tell(.deadline(seconds: 60, remaining: 50)) == [.schedule(.deadline(seconds: 60), seconds: 50)])
        #expect(life.tell(.deadline(seconds: 5, remaining: -3)) == [.schedule(.deadline(seconds: 5), seconds: 0)])
        #expect(life.tell(.timer(.deadline(seconds: 60))) == [], "it is another by now")
        #expect(life.tell(.timer(.deadline(seconds: 5))) == [.stop(container: "web", force: false), .schedule(.graceEnds, seconds: 30)])
        #expect(life.exit("web", code: 0) == [.tearDown])
        #expect(life.status["phase"].string == "Failed" && life.status["reason"].string == "DeadlineExceeded")
        #expect(life.status["message"].string == "Pod was active on the node longer than the specified deadline")
    }

    @Test("a pod that its node does not take has failed before anything of it was")
    func rejected() {
        var life = Life()
        #expect(life.tell(.rejected(reason: "NodePorts", message: "Predicate NodePorts failed")) == [.tearDown])
        #expect(life.status["phase"].string == "Failed" && life.status["reason"].string == "NodePorts")
        #expect(life.status["containerStatuses"].isNull)
        #expect(life.tell(.sandboxReady).isEmpty, "nothing is started")
    }

    @Test("a container whose resources need a restart is ended, and comes back at once")
    func resize() {
        var life = Life.running()
        let actions = life.lifecycle.handle(.resizeNeedsRestart(container: "web"))
        #expect(
            actions.contains(.event(type: "Normal", reason: "Killing", message: "Container web resize requires restart", container: "web")))
        #expect(actions.contains(.stop(container: "web", force: false)))
        #expect(life.exit("web", code: 137) == [.start(container: "web")])
        func container(_ cpu: String, _ memory: String) -> Container {
            Container([
                "name": "web", "resources": ["requests": ["cpu": .string(cpu), "memory": .string(memory)]],
                "resizePolicy": [
                    ["resourceName": "memory", "restartPolicy": "RestartContainer"],
                    ["resourceName": "cpu", "restartPolicy": "NotRequired"],
                ],
            ])
        }
        let before = container("1", "1Mi")
        #expect(!ContainerResize(before, before).needsRestart && !ContainerResize(before, container("2", "1Mi")).needsRestart)
        #expect(ContainerResize(before, container("1", "2Mi")).needsRestart)
    }

    @Test("what could not be made is tried again when what it is made from changes")
    func configuration() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        let actions = life.tell(
            .startFailed(container: "web", reason: PodLifecycle.configurationError, message: "configmap \"c\" not found"))
        #expect(actions == [.schedule(.restart(container: "web"), seconds: 10)])
        #expect(life.container("web")["state"]["waiting"]["reason"].string == "CreateContainerConfigError")
        #expect(life.tell(.configurationChanged) == [.start(container: "web")])
        #expect(life.tell(.configurationChanged).isEmpty, "it is being started")
    }

    @Test("a container that comes up when the pod's grace is over is ended at once")
    func lateStart() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        _ = life.tell(.deletionRequested(gracePeriod: 5))
        _ = life.tell(.timer(.graceEnds))
        #expect(life.start("web") == [.stop(container: "web", force: true)])
    }

    @Test("a container that its liveness probe gives up on is stopped and restarted")
    func unhealthy() {
        var life = Life.running()
        let stop = life.tell(.unhealthy(container: "web"))
        #expect(stop == [.stop(container: "web", force: false), .schedule(.lastWarning(container: "web", life: 0), seconds: 30)])
        let restart = life.exit("web", code: 143)
        #expect(restart == [.start(container: "web")])
    }

    @Test("restarts of an earlier life are carried on")
    func carriedOn() {
        let life = Life(status: [
            "containerStatuses": [
                [
                    "name": "web", "restartCount": 4, "state": ["running": .emptyObject],
                    "lastState": [
                        "terminated": ["exitCode": 7, "startedAt": "2026-11-23T10:00:00Z", "finishedAt": "2026-11-23T10:00:05Z"]
                    ],
                ]
            ]
        ])
        #expect(life.container("web")["restartCount"].int == 4)
        #expect(life.container("web")["lastState"]["terminated"]["exitCode"].int == 7)
    }

    @Test("a container in back-off is started again although its sandbox was lost meanwhile")
    func sandboxLost() {
        var life = Life.running()
        _ = life.crashLoop("web")
        _ = life.tell(.sandboxLost(at: Fixture.time))
        let early = life.tell(.timer(.restart(container: "web")))
        #expect(!early.contains(.start(container: "web")), "there is no sandbox to start it in")
        let late = life.tell(.sandboxReady)
        let isPromised = (early + late).contains { if case .schedule(.restart, _) = $0 { true } else { false } }
        #expect(late.contains(.start(container: "web")) || isPromised)
    }

    @Test("containers of a lost sandbox are started in the new one")
    func newSandbox() {
        var life = Life.running(["web", "side"])
        let lost = life.tell(.sandboxLost(at: Fixture.time))
        #expect(lost.isEmpty)
        #expect(life.status["conditions"].condition("Ready") == "False")
        let actions = life.tell(.sandboxReady)
        #expect(actions == [.start(container: "web"), .start(container: "side")])
        _ = life.start("web")
        #expect(life.container("web")["restartCount"].int == 1)
    }
}

@Suite("A pod's life: what init containers have set up")
struct PodInitAgain {
    private func initialized(_ policy: String) -> Life {
        var life = Life(containers: ["web"], initContainers: ["one"], restartPolicy: policy)
        _ = life.tell(.sandboxReady)
        _ = life.start("one")
        _ = life.exit("one", code: 0)
        _ = life.start("web")
        return life
    }

    @Test("goes with the sandbox, so they run again before the others in the new one")
    func again() {
        var life = initialized("Always")
        _ = life.tell(.sandboxLost(at: Fixture.time))
        let first = life.tell(.sandboxReady)
        #expect(first == [.start(container: "one")])
        _ = life.start("one")
        #expect(life.container("one")["restartCount"].int == 1)
        let second = life.exit("one", code: 0)
        #expect(second == [.start(container: "web")])
    }

    @Test("is nobody's any more where nothing of the pod starts again")
    func never() {
        var life = initialized("Never")
        let lost = life.tell(.sandboxLost(at: Fixture.time)) + life.tell(.sandboxReady)
        #expect(!lost.contains(.start(container: "one")))
        #expect(life.container("one")["state"]["terminated"]["exitCode"].int == 0)
    }
}

@Suite("A pod's life: its end")
struct PodEnding {
    @Test("a pod is asked to stop, forced when its grace is over, and torn down when nothing runs any more")
    func graceful() {
        var life = Life.running(["web", "side"])
        let stops = life.tell(.deletionRequested(gracePeriod: 30))
        #expect(
            stops == [.stop(container: "web", force: false), .stop(container: "side", force: false), .schedule(.graceEnds, seconds: 30)])
        let one = life.exit("web", code: 0)
        #expect(one.isEmpty, "the other still runs; nothing is restarted")
        let force = life.tell(.timer(.graceEnds))
        #expect(force == [.stop(container: "side", force: true)])
        let last = life.exit("side", code: 137, signal: 9)
        #expect(last == [.tearDown])
        #expect(life.lifecycle.isTornDown)
    }

    @Test("without grace containers are killed at once")
    func forced() {
        var life = Life.running()
        let actions = life.tell(.deletionRequested(gracePeriod: 0))
        #expect(actions.contains(.stop(container: "web", force: true)))
        let last = life.exit("web", code: 137, signal: 9)
        #expect(last == [.tearDown])
    }

    @Test("a second, shorter request does not ask twice but shortens the wait")
    func shortened() {
        var life = Life.running()
        _ = life.tell(.deletionRequested(gracePeriod: 30))
        let sooner = life.tell(.deletionRequested(gracePeriod: 5))
        #expect(sooner == [.schedule(.graceEnds, seconds: 5)])
        let now = life.tell(.deletionRequested(gracePeriod: 0))
        #expect(now.contains(.stop(container: "web", force: true)))
    }

    @Test("a pod is torn down once, whatever comes after")
    func once() {
        var life = Life.running()
        _ = life.tell(.deletionRequested(gracePeriod: 30))
        _ = life.exit("web", code: 0)
        #expect(life.tearDowns == 1)
        for input in [
            PodLifecycle.Input.timer(.graceEnds), .deletionRequested(gracePeriod: 0), .sandboxLost(at: Fixture.time),
            .timer(.restart(container: "web")), .sandboxReady,
        ] {
            let actions = life.tell(input)
            #expect(actions.isEmpty)
        }
        #expect(life.tearDowns == 1)
    }

    @Test("a pod of which nothing runs is torn down at once, and its back-off is forgotten")
    func inBackOff() {
        var life = Life.running()
        _ = life.crashLoop("web")
        let actions = life.tell(.deletionRequested(gracePeriod: 30))
        #expect(actions == [.tearDown])
        let late = life.tell(.timer(.restart(container: "web")))
        #expect(late.isEmpty)
    }

    @Test("a pod that never got a sandbox is torn down at once and starts nothing")
    func beforeSandbox() {
        var life = Life()
        let actions = life.tell(.deletionRequested(gracePeriod: 30))
        #expect(actions == [.tearDown])
        let late = life.tell(.sandboxReady)
        #expect(late.isEmpty)
    }

    @Test("a container that comes up while its pod is ending is stopped")
    func lateStart() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        _ = life.tell(.deletionRequested(gracePeriod: 30))
        let actions = life.start("web")
        #expect(actions == [.stop(container: "web", force: false)])
        let last = life.exit("web", code: 143)
        #expect(last == [.tearDown])
    }

    @Test("a container that fails to come up while its pod is ending lets the pod end", arguments: [false, true])
    func lateFailure(_ isImage: Bool) {
        var life = Life()
        _ = life.tell(.sandboxReady)
        _ = life.tell(.deletionRequested(gracePeriod: 30))
        _ = life.tell(
            isImage
                ? .pullNeeded(container: "web")
                : .startFailed(container: "web", reason: "RunContainerError", message: "no such file"))
        _ = life.tell(.timer(.graceEnds))
        #expect(life.tearDowns == 1)
    }

    @Test("init containers still to come are not started in a pod that is ending")
    func duringInit() {
        var life = Life(initContainers: ["one", "two"])
        _ = life.tell(.sandboxReady)
        _ = life.start("one")
        _ = life.tell(.deletionRequested(gracePeriod: 30))
        let actions = life.exit("one", code: 0)
        #expect(actions == [.tearDown])
    }
}

@Suite("A pod's life: what its status tells")
struct PodTelling {
    @Test("conditions stand in the kubelet's order, after what others say; a pod that succeeded says why")
    func conditions() {
        var life = Life(
            restartPolicy: "Never",
            status: ["conditions": [["type": "PodScheduled", "status": "True"], ["type": "example.com/gate", "status": "True"]]])
        #expect(
            life.status["conditions"].items.map { $0["type"].string }
                == ["example.com/gate", "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"])
        _ = life.tell(.sandboxReady)
        _ = life.start("web")
        #expect(life.status["conditions"].items.first { $0["type"].string == "Initialized" }?["reason"].isNull == true)
        _ = life.exit("web", code: 0)
        let reasons = Dictionary(
            uniqueKeysWithValues: life.status["conditions"].items.map { ($0["type"].string ?? "", $0["reason"].string ?? "") })
        #expect(reasons["Initialized"] == "PodCompleted")
        #expect(reasons["Ready"] == "PodCompleted")
    }

    @Test("a container has no image id before it was made, then one, its user and the name of each life")
    func identity() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        #expect(life.container("web")["imageID"].string == "")
        #expect(life.container("web")["containerID"].isNull)
        #expect(life.container("web")["image"].string == "httpd:2.4")
        _ = life.start("web")
        let running = life.container("web")
        #expect(running["image"].string == "docker.io/library/httpd:2.4")
        #expect(running["imageID"].string == "sha256:1")
        #expect(running["resources"] == .emptyObject)
        #expect(running["user"]["linux"]["supplementalGroups"].items == [0])
        let first = running["containerID"]
        _ = life.exit("web", code: 143, signal: 15)
        #expect(life.container("web")["lastState"]["terminated"]["containerID"] == first)
        #expect(life.container("web")["lastState"]["terminated"]["signal"].isNull)
        _ = life.start("web")
        #expect(life.container("web")["containerID"] != first)
        _ = life.exit("web", code: 1)
        #expect(life.container("web")["containerID"] == life.container("web")["lastState"]["terminated"]["containerID"])
        #expect(life.status["resources"] == .emptyObject)
    }

    @Test("containers of one image share its pull: they wait together when it fails, and start when it comes")
    func sharedPull() {
        var life = Life(containers: ["web", "twin"])
        _ = life.tell(.sandboxReady)
        #expect(life.tell(.pullNeeded(container: "web")) == [.pull(container: "web")])
        #expect(life.tell(.pullNeeded(container: "twin")) == [])
        let failed = life.tell(.pullFailed(container: "web", message: "no"))
        #expect(
            failed == [
                .schedule(.pullBackOff(container: "web"), seconds: 2), .schedule(.pullAgain(image: "httpd:2.4"), seconds: 10),
            ])
        #expect(life.container("web")["state"]["waiting"]["reason"].string == "ErrImagePull")
        #expect(life.container("twin")["state"]["waiting"]["reason"].string == "ImagePullBackOff")
        #expect(
            life.container("twin")["state"]["waiting"]["message"].string == "Back-off pulling image \"httpd:2.4\": ErrImagePull: no")
        #expect(life.tell(.timer(.pullAgain(image: "httpd:2.4"))) == [.start(container: "web"), .start(container: "twin")])
        _ = life.tell(.pullNeeded(container: "web"))
        _ = life.tell(.pullNeeded(container: "twin"))
        #expect(life.tell(.pulled(container: "web", message: "it came")) == [.create(container: "web"), .start(container: "twin")])
        #expect(life.container("web")["restartCount"].int == 0, "what never ran was never restarted")
        #expect(life.status["phase"].string == "Pending")
    }

    @Test("a pod that goes while images come stops their pulls and is gone; one that loses its sandbox begins anew")
    func stoppedPull() {
        var life = Life(containers: ["web", "twin"])
        _ = life.tell(.sandboxReady)
        for name in ["web", "twin"] { _ = life.tell(.pullNeeded(container: name)) }
        var lost = life
        #expect(life.tell(.deletionRequested(gracePeriod: 30)).contains(.tearDown) && life.tearDowns == 1)
        #expect(lost.tell(.sandboxLost(at: Timestamp(seconds: 5))).contains(.stopPull(container: "web")))
        #expect(lost.tell(.sandboxReady) == [.start(container: "web"), .start(container: "twin")])
        #expect(lost.tell(.pulled(container: "web", message: "late")) == [], "nobody waits for that one")
    }

    @Test("an image that may not be pulled, or whose name is none, is told in its own words and tried again")
    func refusedImage() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        let actions = life.lifecycle.handle(
            .imageRefused(container: "web", reason: "ErrImageNeverPull", event: "ErrImageNeverPull", message: "not here"))
        #expect(
            actions == [
                .event(type: "Warning", reason: "ErrImageNeverPull", message: "not here", container: "web"),
                .event(type: "Warning", reason: "Failed", message: "Error: ErrImageNeverPull", container: "web"),
                .schedule(.restart(container: "web"), seconds: 10),
            ])
        #expect(life.container("web")["state"]["waiting"]["reason"].string == "ErrImageNeverPull")
        // Another image need not wait for the next try.
        #expect(life.lifecycle.handle(.imageChanged(container: "web", image: "other")) == [.start(container: "web")])
    }

    @Test("a pod's own network lets every user listen on every port and ping; the node's is left alone")
    func sysctls() {
        #expect(
            Pod(["spec": .emptyObject]).standardSysctls.map(\.word)
                == ["sysctl:net.ipv4.ip_unprivileged_port_start=0", "sysctl:net.ipv4.ping_group_range=0 2147483647"])
        #expect(Pod(["spec": ["hostNetwork": true]]).standardSysctls.isEmpty)
    }
}

@Suite("a program that cannot be run")
struct StartErrorTests {
    private static let missing = PodLifecycle.Input.startError(
        container: "web", message: "exec: \"nosuch\": not found", at: Timestamp(seconds: 1000))

    @Test("with restartPolicy Never the pod has failed")
    func never() {
        var life = Life(restartPolicy: "Never")
        _ = life.tell(.sandboxReady)
        #expect(life.tell(Self.missing) == [.tearDown])
        let ended = life.status["containerStatuses"].items.first?["state"]["terminated"] ?? .null
        #expect(life.status["phase"].string == "Failed")
        #expect(
            ended["reason"].string == "StartError" && ended["exitCode"].int == 128
                && ended["message"].string == "exec: \"nosuch\": not found")
        #expect(ended["startedAt"].string == "1970-01-01T00:00:00Z")
    }

    @Test("else it is tried again, counted, and further and further apart")
    func always() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        #expect(life.tell(Self.missing) == [.start(container: "web")])
        #expect(life.tell(Self.missing) == [.schedule(.restart(container: "web"), seconds: 10)])
        let status = life.status["containerStatuses"].items.first ?? .null
        #expect(status["state"]["waiting"]["reason"].string == "CrashLoopBackOff" && status["restartCount"].int == 1)
        #expect(status["lastState"]["terminated"]["reason"].string == "StartError")
        #expect(life.tell(.timer(.restart(container: "web"))) == [.start(container: "web")])
        #expect(life.tell(Self.missing) == [.schedule(.restart(container: "web"), seconds: 20)])
    }

    @Test("what is said is containerd's")
    func event() {
        var life = Life(restartPolicy: "Never")
        _ = life.tell(.sandboxReady)
        #expect(
            life.lifecycle.handle(Self.missing).prefix(2) == [
                .event(type: "Normal", reason: "Created", message: "Container created", container: "web"),
                .event(type: "Warning", reason: "Failed", message: "Error: exec: \"nosuch\": not found", container: "web"),
            ])
    }

    @Test("its reason outlives the daemon")
    func stored() {
        var life = Life()
        _ = life.tell(.sandboxReady)
        _ = life.tell(Self.missing)
        let again = Life(status: life.status)
        #expect(again.status["containerStatuses"].items.first?["lastState"]["terminated"]["reason"].string == "StartError")
    }
}
