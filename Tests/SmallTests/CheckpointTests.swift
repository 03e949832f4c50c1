import Lab
import Model
import Runtime
import Store
import Testing

@Suite("Checkpoints: what time that stood still, and another life, make of objects")
struct CheckpointTests {
    private let start = Timestamp(seconds: 1_700_000_000), later = Timestamp(seconds: 1_700_003_600)

    @Test("a lease, a taint's age and a job's start are moved on by the time that stood still; what only tells when something was stays")
    func movedOn() {
        let time = StandingTime(from: start, to: later)
        let lease = time.moved(.leases, ["spec": ["renewTime": "2023-11-14T22:13:20.123456Z", "holderIdentity": "a"]])
        #expect(lease["spec"]["renewTime"] == "2023-11-14T23:13:20.123456Z" && lease["spec"]["holderIdentity"] == "a")
        let node = time.moved(
            .nodes,
            [
                "metadata": ["creationTimestamp": "2023-11-14T22:13:20Z"],
                "spec": ["taints": [["key": "a", "timeAdded": "2023-11-14T22:13:20Z"], ["key": "b"]]],
                "status": ["conditions": [["lastHeartbeatTime": "2023-11-14T22:13:20Z", "lastTransitionTime": "2023-11-14T22:13:20Z"]]],
            ])
        #expect(node["spec"]["taints"] == [["key": "a", "timeAdded": "2023-11-14T23:13:20Z"], ["key": "b"]])
        #expect(node["status"]["conditions"][0]["lastHeartbeatTime"] == "2023-11-14T23:13:20Z")
        #expect(node["status"]["conditions"][0]["lastTransitionTime"] == "2023-11-14T22:13:20Z")
        #expect(node["metadata"]["creationTimestamp"] == "2023-11-14T22:13:20Z")
        let map: JSON = ["data": ["startTime": "2023-11-14T22:13:20Z"]]
        #expect(time.moved(.configMaps, map) == map)
    }

    @Test("time that did not pass, a clock that was put back, and text that is no time move nothing")
    func unmoved() {
        let node: JSON = ["spec": ["taints": [["timeAdded": "2023-11-14T22:13:20Z"]]]]
        #expect(StandingTime(from: later, to: start).moved(.nodes, node) == node)
        let odd: JSON = ["spec": ["taints": [["timeAdded": "soon"], "x", ["timeAdded": .int(3)]]]]
        #expect(StandingTime(from: start, to: later).moved(.nodes, odd) == odd)
        #expect(StandingTime(from: start, to: later).moved(.nodes, ["spec": JSON.null]) == ["spec": JSON.null])
    }

    private func pod(_ name: String, phase: String = "Running", more: JSON = JSON.emptyObject) -> JSON {
        var pod: JSON = [
            "metadata": ["name": .string(name), "namespace": "default", "uid": .string("uid-\(name)")], "spec": ["nodeName": "n1"],
            "status": [
                "phase": .string(phase), "qosClass": "Burstable", "podIP": "10.1.2.3", "containerStatuses": [["restartCount": .int(3)]],
                "conditions": [["type": "Ready", "status": "True"], ["type": "PodScheduled", "status": "True"]],
            ],
        ]
        for (key, value) in more.object ?? JSONObject() { pod["metadata"][key] = value }
        return pod
    }

    @Test("a pod begins anew on its node, as another of the same name; one that has finished stays; what belongs to a pod goes with it")
    func renewed() throws {
        let web = pod("web"), done = pod("done", phase: "Succeeded")
        let renewal = PodRenewal([Pod(web), Pod(done)], now: later) { "new" }
        let new = try #require(renewal.renewed(.pods, web))
        #expect(new["metadata"]["uid"] == "new" && new["metadata"]["creationTimestamp"] == "2023-11-14T23:13:20Z")
        #expect(new["spec"] == web["spec"])
        #expect(
            new["status"] == [
                "phase": "Pending", "qosClass": "Burstable", "conditions": [["type": "PodScheduled", "status": "True"]],
            ])
        #expect(renewal.renewed(.pods, done) == done && renewal.count == 1)
        let claim: JSON = ["metadata": ["ownerReferences": [["kind": "Pod", "uid": "uid-web"], ["kind": "Pod", "uid": "uid-done"]]]]
        #expect(
            renewal.renewed(.configMaps, claim)?["metadata"]["ownerReferences"] == [
                ["kind": "Pod", "uid": "new"], ["kind": "Pod", "uid": "uid-done"],
            ])
    }

    @Test("a static pod is its file's to bring back, and one that was on its way out is gone, but for one that somebody still holds")
    func notRenewed() {
        let mirror = pod("static", more: ["annotations": ["kubernetes.io/config.mirror": "hash"]])
        let leaving = pod("leaving", more: ["deletionTimestamp": "2023-11-14T22:13:20Z"])
        let held = pod("held", more: ["deletionTimestamp": "2023-11-14T22:13:20Z", "finalizers": ["example.com/hold"]])
        let renewal = PodRenewal([mirror, leaving, held].map { Pod($0) }, now: later)
        #expect(renewal.renewed(.pods, mirror) == nil && renewal.renewed(.pods, leaving) == nil)
        #expect(renewal.renewed(.pods, held)?["metadata"]["finalizers"] == ["example.com/hold"])
    }

    @Test("a cluster's processes are its shims' and nodes' descendants, and whoever else is in their PID namespaces")
    func members() {
        func process(_ pid: Int, _ parent: Int, _ namespace: String) -> ClusterMember {
            ClusterMember(pid: pid, parent: parent, state: "S", namespace: namespace)
        }
        let all = [
            process(1, 0, "machine"), process(10, 1, "node"), process(20, 1, "machine"), process(21, 20, "pod"), process(22, 21, "pod"),
            process(30, 1, "machine"), process(31, 30, "pod"), process(32, 31, "nested"), process(40, 1, "other"),
        ]
        let members = ClusterMember.members(of: [10, 20], among: all, outside: "machine").map(\.pid)
        #expect(members == [10, 20, 21, 22, 31, 32], "30 only started 31, in the machine's own namespace")
    }
}
