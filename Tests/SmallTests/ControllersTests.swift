import API
import Controllers
import Model
import Testing

/// Runs controllers while `body` does, and ends them after it.
private func withControllers(_ api: APIServer, _ reconcilers: [any Reconciler], kubelet: Bool = true, _ body: () async throws -> Void)
    async throws
{
    try await withThrowingTaskGroup(of: Void.self) { group in
        for reconciler in reconcilers {
            let controller = Controller(reconciler, client: api, report: { _ in })
            group.addTask { try await controller.run() }
        }
        group.addTask { try await GarbageCollector(client: api, kinds: { api.catalog.followed }, report: { _ in }).run() }
        if kubelet { group.addTask { try await playKubelet(api) } }
        defer { group.cancelAll() }
        try await body()
    }
}

/// Every pod that has a node becomes ready; every pod that is being deleted goes.
private func playKubelet(_ api: APIServer) async throws {
    var host = 1
    while !Task.isCancelled {
        for pod in try await api.list(Pod.self) where pod.nodeName != nil {
            if pod.isBeingDeleted {
                try? await api.delete(.pods, pod.key, gracePeriod: 0, uid: pod.uid)
            } else if !pod.isReady {
                host += 1
                try await report(api, pod.name, ready: true, ip: "10.244.1.\(host)")
            }
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// What a kubelet writes of a running pod.
private func report(_ api: APIServer, _ name: String, ready: Bool, ip: String) async throws {
    try await api.mutateStatus(Pod.self, Fixture.key(name)) { pod in
        pod.status["phase"] = "Running"
        pod.status["podIP"] = .string(ip)
        pod.status["conditions"].setCondition("Ready", ready, now: Fixture.time)
    }
}

private func activePods(_ api: APIServer) async throws -> [Pod] { try await api.list(Pod.self).filter(\.isActive) }

private let workloads: [any Reconciler] = [DeploymentReconciler(), ReplicaSetReconciler(), Scheduler()]

/// Two workers and a control plane nobody asked to run pods on.
private func threeNodes() async throws -> APIServer {
    let api = try await Fixture.api()
    _ = try await api.create(.nodes, Fixture.node("master", taints: Fixture.controlPlaneTaint))
    for name in ["node1", "node2"] { _ = try await api.create(.nodes, Fixture.node(name)) }
    return api
}

@Suite("Controllers: a Deployment and its pods", .timeLimit(.minutes(5)))
struct DeploymentControl {
    /// A Deployment `web` of `replicas` that has come up.
    private func rolledOut(_ api: APIServer, replicas: Int) async throws -> [Pod] {
        _ = try await api.create(.deployments, Fixture.deployment("web", replicas: replicas))
        try await eventually("\(replicas) pods are ready") {
            let status = try await api.get(.deployments, Fixture.key("web"))["status"]
            return status["readyReplicas"].int == replicas && status["updatedReplicas"].int == replicas
        }
        return try await activePods(api)
    }

    @Test("a Deployment gets its pods through a ReplicaSet, named after both")
    func creation() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            let pods = try await rolledOut(api, replicas: 3)
            #expect(pods.count == 3)
            let set = try #require(try await api.list(ReplicaSet.self).first)
            let hash = try #require(set.labels["pod-template-hash"])
            #expect(set.name == "web-\(hash)")
            #expect(set.controllerOwner?.kind == "Deployment")
            for pod in pods {
                #expect(pod.name.wholeMatch(of: #/web-[a-z0-9]+-[a-z0-9]{5}/#) != nil, "\(pod.name)")
                #expect(pod.name.hasPrefix("web-\(hash)-"))
                #expect(pod.labels == ["app": "web", "pod-template-hash": hash])
                #expect(pod.controllerOwner?.uid == set.uid)
            }
            #expect(Set(pods.map(\.name)).count == 3)
            let deployment = try await api.get(.deployments, Fixture.key("web"))
            #expect(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"].string == "1")
            #expect(deployment["status"]["availableReplicas"].int == 3)
            #expect(deployment["status"]["conditions"].condition("Available") == "True")
        }
    }

    @Test("a name that a template has is not its pods'")
    func templateName() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            var deployment = Fixture.deployment("web", replicas: 3)
            deployment["spec"]["template"]["metadata"]["name"] = "mine"
            deployment["spec"]["template"]["metadata"]["generateName"] = "mine-"
            deployment["spec"]["template"]["metadata"]["annotations"] = ["kept": "yes"]
            _ = try await api.create(.deployments, deployment)
            try await eventually("3 pods are ready") {
                try await api.get(.deployments, Fixture.key("web"))["status"]["readyReplicas"].int == 3
            }
            let pods = try await activePods(api)
            #expect(pods.allSatisfy { $0.name.hasPrefix("web-") && $0.json["metadata"]["annotations"]["kept"] == "yes" })
        }
    }

    @Test("pods are spread over the nodes that take them, and none goes to a tainted one")
    func spread() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            let nodes = try await rolledOut(api, replicas: 4).compactMap(\.nodeName)
            #expect(nodes.sorted() == ["node1", "node1", "node2", "node2"])
        }
    }

    @Test("a pod that is deleted is replaced by another")
    func replacement() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            let before = try await rolledOut(api, replicas: 3)
            let victim = try #require(before.first)
            try await api.delete(.pods, victim.key)
            try await eventually("three others are ready") {
                let pods = try await api.list(Pod.self)
                return pods.count == 3 && pods.allSatisfy { $0.isReady && $0.uid != victim.uid }
            }
            let after = try await activePods(api)
            #expect(Set(before.dropFirst().map(\.name)).isSubset(of: Set(after.map(\.name))), "the others were left alone")
        }
    }

    @Test("a Deployment that is scaled down loses pods, one that is scaled up gains some")
    func scaling() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            let before = Set(try await rolledOut(api, replicas: 3).map(\.name))
            _ = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["replicas": 1]])
            try await eventually("one is left") { try await api.list(Pod.self).count == 1 }
            let left = try #require(try await api.list(Pod.self).first)
            #expect(before.contains(left.name))
            _ = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["replicas": 2]])
            try await eventually("two are ready") { try await activePods(api).filter(\.isReady).count == 2 }
            let after = try await activePods(api)
            #expect(after.map(\.name).contains(left.name))
            #expect(try await api.list(ReplicaSet.self).count == 1, "scaling is no roll-out")
        }
    }

    @Test("a new template is rolled out through a second ReplicaSet; the first is kept, empty")
    func rollingUpdate() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            _ = try await rolledOut(api, replicas: 3)
            let first = try #require(try await api.list(ReplicaSet.self).first)
            _ = try await api.update(.deployments, Fixture.deployment("web", replicas: 3, image: "httpd:2.5"))
            try await eventually("only new pods are there") {
                let pods = try await api.list(Pod.self)
                return pods.count == 3 && pods.allSatisfy { $0.isReady && $0.containers.first?.image == "httpd:2.5" }
            }
            let sets = try await api.list(ReplicaSet.self)
            #expect(sets.count == 2)
            #expect(sets.first { $0.uid == first.uid }?.replicas == 0)
            let second = try #require(sets.first { $0.uid != first.uid })
            #expect(second.replicas == 3)
            #expect(second.annotations["deployment.kubernetes.io/revision"] == "2")
            #expect(try await activePods(api).allSatisfy { $0.controllerOwner?.uid == second.uid })
        }
    }

    @Test("what re-creates makes nothing new before all of the old is gone")
    func recreate() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            var deployment = Fixture.deployment("web", replicas: 2)
            deployment["spec"]["strategy"] = ["type": "Recreate"]
            _ = try await api.create(.deployments, deployment)
            try await eventually("it is up") { try await api.get(.deployments, Fixture.key("web"))["status"]["readyReplicas"].int == 2 }
            let old = Set(try await activePods(api).map(\.uid))
            let image: JSON = ["spec": ["template": ["spec": ["containers": [["name": "main", "image": "httpd:2.5"]]]]]]
            _ = try await api.patch(.deployments, Fixture.key("web"), image)
            try await eventually("the new set is there") { try await api.list(ReplicaSet.self).count == 2 }
            #expect(try await api.list(Pod.self).allSatisfy { !old.contains($0.uid) || $0.isFinished })
            try await eventually("it is up again") {
                let set = try await api.list(ReplicaSet.self).first { $0.annotations["deployment.kubernetes.io/revision"] == "2" }
                return set?.status["readyReplicas"].int == 2 && set?.generation == 1
            }
        }
    }

    @Test("conditions tell when they were last updated, a pause and what was created; a set that is rolled back to keeps its numbers")
    func conditions() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            _ = try await rolledOut(api, replicas: 1)
            func progressing() async throws -> JSON {
                let status = try await api.get(.deployments, Fixture.key("web"))["status"]
                #expect(status["conditions"].items.allSatisfy { !$0["lastUpdateTime"].isNull && !$0["lastTransitionTime"].isNull })
                return status["conditions"].items.first { $0["type"].string == "Progressing" } ?? .null
            }
            _ = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["paused": true]])
            try await eventually("the pause is told") { try await progressing()["reason"].string == "DeploymentPaused" }
            #expect(try await progressing()["status"].string == "Unknown")
            for image in ["httpd:2.5", "httpd:2.4"] {
                let template: JSON = ["spec": ["containers": [["name": "main", "image": .string(image)]]]]
                _ = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["paused": false, "template": template]])
                try await eventually("\(image) is rolled out") {
                    let sets = try await api.list(ReplicaSet.self).filter { $0.replicas > 0 }
                    let current = sets.first { $0.template["spec"]["containers"].items.first?["image"].string == image }
                    let reason = try await progressing()["reason"].string
                    return sets.count == 1 && current != nil && reason == "NewReplicaSetAvailable"
                }
            }
            let back = try await api.list(ReplicaSet.self).first { $0.replicas > 0 }
            #expect(back?.annotations["deployment.kubernetes.io/revision"] == "3")
            #expect(back?.annotations["deployment.kubernetes.io/revision-history"] == "1")
        }
    }

    @Test("a roll-out stays within maxSurge and maxUnavailable")
    func limits() async throws {
        let api = try await Fixture.api()
        let reconciler = DeploymentReconciler(now: { Fixture.time })
        _ = try await api.create(.deployments, Fixture.deployment("web", replicas: 4))
        try await reconciler.reconcile(Fixture.key("web"), api)
        let old = try #require(try await api.list(ReplicaSet.self).first)
        #expect(old.replicas == 4)
        try await api.mutateStatus(ReplicaSet.self, old.key) { $0.status = ["replicas": 4, "readyReplicas": 4, "availableReplicas": 4] }
        _ = try await api.update(.deployments, Fixture.deployment("web", replicas: 4, image: "httpd:2.5"))
        // The new pods never become available: however often it looks, it has to stop there.
        for _ in 0..<5 { try await reconciler.reconcile(Fixture.key("web"), api) }
        let sets = try await api.list(ReplicaSet.self)
        let kept = try #require(sets.first { $0.uid == old.uid }).replicas
        let new = try #require(sets.first { $0.uid != old.uid }).replicas
        #expect(kept == 3, "25% of 4 may be unavailable")
        #expect(new == 2, "25% of 4 may be too many: 5 in all")
    }

    @Test("of two pods the one that is not ready goes first")
    func rank() async throws {
        let api = try await Fixture.api()
        let reconciler = ReplicaSetReconciler()
        var set = Fixture.deployment("web", replicas: 2)
        set["kind"] = "ReplicaSet"
        _ = try await api.create(.replicaSets, set)
        try await reconciler.reconcile(Fixture.key("web"), api)
        let pods = try await activePods(api)
        try #require(pods.count == 2)
        for pod in pods { _ = try await api.patch(.pods, pod.key, ["spec": ["nodeName": "n1"]]) }
        try await report(api, pods[0].name, ready: true, ip: "10.244.1.2")
        try await report(api, pods[1].name, ready: false, ip: "10.244.1.3")
        _ = try await api.patch(.replicaSets, Fixture.key("web"), ["spec": ["replicas": 1]])
        try await reconciler.reconcile(Fixture.key("web"), api)
        #expect(try await activePods(api).map(\.name) == [pods[0].name])
        let revision = await api.store.revision
        try await reconciler.reconcile(Fixture.key("web"), api)
        try await reconciler.reconcile(Fixture.key("web"), api)
        let later = await api.store.revision
        #expect(later - revision <= 1, "only the status may still change: running it again changes nothing")
    }

    @Test("a pod that is relabelled is replaced and no longer the ReplicaSet's")
    func release() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            let pod = try #require(try await rolledOut(api, replicas: 2).first)
            _ = try await api.patch(.pods, pod.key, ["metadata": ["labels": ["app": "quarantine"]]])
            try await eventually("two others are ready") {
                try await activePods(api).filter { $0.isReady && $0.labels["app"] == "web" }.count == 2
            }
            try await eventually("it belongs to nobody") { try await api.get(Pod.self, pod.key).controllerOwner == nil }
        }
    }

    @Test("what a deleted Deployment owned goes with it")
    func garbage() async throws {
        let api = try await threeNodes()
        try await withControllers(api, workloads) {
            _ = try await rolledOut(api, replicas: 2)
            _ = try await api.create(.pods, Fixture.pod("bystander", node: "node1"))
            try await api.delete(.deployments, Fixture.key("web"))
            try await eventually("nothing of it is left") {
                let sets = try await api.list(ReplicaSet.self), pods = try await api.list(Pod.self)
                return sets.isEmpty && pods.map(\.name) == ["bystander"]
            }
        }
    }
}

@Suite("Controllers: the scheduler", .timeLimit(.minutes(5)))
struct SchedulerControl {
    private func place(_ pod: JSON, _ nodes: [JSON], among pods: [JSON] = []) -> String? {
        guard case .success(let node) = Scheduler.place(Pod(pod), nodes: nodes.map { Node($0) }, pods: pods.map { Pod($0) }) else {
            return nil
        }
        return node.name
    }

    @Test("a taint keeps pods away unless they tolerate it")
    func taints() {
        let nodes = [Fixture.node("master", taints: Fixture.controlPlaneTaint)]
        var pod = Fixture.pod("a")
        #expect(place(pod, nodes) == nil)
        pod["spec"]["tolerations"] = [["key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"]]
        #expect(place(pod, nodes) == "master")
        pod["spec"]["tolerations"] = [["key": "another", "operator": "Exists"]]
        #expect(place(pod, nodes) == nil)
        pod["spec"]["tolerations"] = [["operator": "Exists"]]
        #expect(place(pod, nodes) == "master", "an empty key with Exists tolerates everything")
        pod["spec"]["tolerations"] = [["key": "node-role.kubernetes.io/control-plane", "value": "yes"]]
        #expect(place(pod, nodes) == nil, "Equal compares the value")
    }

    @Test("PreferNoSchedule is only a preference")
    func preference() {
        let soft = Fixture.node("a", taints: [["key": "k", "effect": "PreferNoSchedule"]])
        #expect(place(Fixture.pod("p"), [soft, Fixture.node("b")]) == "b")
        #expect(place(Fixture.pod("p"), [soft]) == "a")
    }

    @Test("nodes that are not ready, cordoned or of other labels are passed over")
    func obstacles() {
        var cordoned = Fixture.node("cordoned")
        cordoned["spec"]["unschedulable"] = true
        var broken = Fixture.node("broken")
        broken["status"]["conditions"] = [["type": "Ready", "status": "False"]]
        var disk = Fixture.node("disk")
        disk["metadata"]["labels"] = ["disk": "ssd"]
        #expect(place(Fixture.pod("p"), [cordoned, broken]) == nil)
        var pod = Fixture.pod("p")
        pod["spec"]["nodeSelector"] = ["disk": "ssd"]
        #expect(place(pod, [Fixture.node("a"), cordoned, disk]) == "disk")
        #expect(place(pod, [Fixture.node("a")]) == nil)
    }

    @Test("a pod goes where fewest of its siblings are")
    func siblings() {
        func owned(_ name: String, _ node: String?) -> JSON {
            var pod = Fixture.pod(name, node: node)
            pod["metadata"]["ownerReferences"] = [
                ["apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r-1", "controller": true]
            ]
            return pod
        }
        let nodes = [Fixture.node("a"), Fixture.node("b")]
        #expect(place(owned("new", nil), nodes, among: [owned("x", "a")]) == "b")
        #expect(place(owned("new", nil), nodes, among: [owned("x", "a"), Fixture.pod("y", node: "b"), Fixture.pod("z", node: "b")]) == "b")
    }

    @Test("a pod that fits nowhere says so, and is placed when a node comes")
    func pending() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.nodes, Fixture.node("master", taints: Fixture.controlPlaneTaint))
        try await withControllers(api, [Scheduler()], kubelet: false) {
            _ = try await api.create(.pods, Fixture.pod("a"))
            try await eventually("the pod is unschedulable") {
                try await api.get(Pod.self, Fixture.key("a")).status["conditions"].condition("PodScheduled") == "False"
            }
            let condition = try #require(
                try await api.get(Pod.self, Fixture.key("a")).status["conditions"].items.first { $0["type"].string == "PodScheduled" })
            #expect(condition["reason"].string == "Unschedulable")
            #expect(condition["message"].string?.hasPrefix("0/1 nodes are available: 1 node(s) had untolerated taint") == true)
            _ = try await api.create(.nodes, Fixture.node("node1"))
            try await eventually("the pod has a node") { try await api.get(Pod.self, Fixture.key("a")).nodeName == "node1" }
        }
    }
}

@Suite("Controllers: endpoints", .timeLimit(.minutes(5)))
struct EndpointsControl {
    private func slices(_ api: APIServer) async throws -> [EndpointSlice] {
        try await api.list(EndpointSlice.self).filter { $0.serviceKey == Fixture.key("web") }
    }

    /// Address -> ready, of the Service `web`.
    private func readiness(_ api: APIServer) async throws -> [String: Bool] {
        var result: [String: Bool] = [:]
        for endpoint in try await slices(api).flatMap(\.endpoints) {
            for address in endpoint["addresses"].items.compactMap(\.string) { result[address] = endpoint["conditions"]["ready"].bool }
        }
        return result
    }

    private func addresses(_ api: APIServer, _ field: String) async throws -> [String] {
        // They are written after the slices, and may not be there yet.
        let all = try await api.list(.endpoints, namespace: "default", selector: nil).items
        let endpoints = all.first { $0.objectName == "web" } ?? .null
        return endpoints["subsets"].items.flatMap { $0[field].items.compactMap { $0["ip"].string } }
    }

    /// The Service `web` with a ready pod a at .2, and a pod b at .3 that is not; and a pod of another app.
    private func site() async throws -> APIServer {
        let api = try await Fixture.api()
        _ = try await api.create(.services, Fixture.service("web", port: 80))
        for (name, app, ip) in [("a", "web", "10.244.1.2"), ("b", "web", "10.244.1.3"), ("c", "other", "10.244.1.4")] {
            _ = try await api.create(.pods, Fixture.pod(name, labels: ["app": app], node: "n1"))
            try await report(api, name, ready: name != "b", ip: ip)
        }
        return api
    }

    @Test("endpoints are the addresses of the pods selected, ready as these are")
    func readiness() async throws {
        let api = try await site()
        try await withControllers(api, [EndpointsReconciler()], kubelet: false) {
            try await eventually("a is ready and b is not") { try await readiness(api) == ["10.244.1.2": true, "10.244.1.3": false] }
            let slice = try #require(try await slices(api).first)
            #expect(slice.json["addressType"].string == "IPv4")
            #expect(slice.ports.map { $0["port"].int } == [80])
            #expect(slice.labels["kubernetes.io/service-name"] == "web")
            #expect(slice.endpoints.first?["targetRef"]["name"].string == "a")
            #expect(slice.endpoints.first?["nodeName"].string == "n1")
            try await eventually("Endpoints tell the same") {
                let ready = try await addresses(api, "addresses"), notReady = try await addresses(api, "notReadyAddresses")
                return ready == ["10.244.1.2"] && notReady == ["10.244.1.3"]
            }
            try await report(api, "b", ready: true, ip: "10.244.1.3")
            try await eventually("b is ready too") { try await readiness(api) == ["10.244.1.2": true, "10.244.1.3": true] }
            try await report(api, "a", ready: false, ip: "10.244.1.2")
            try await eventually("a is not any more") { try await readiness(api) == ["10.244.1.2": false, "10.244.1.3": true] }
        }
    }

    @Test("a headless Service without ports has endpoints; who publishes what is not ready says that it does not serve")
    func headless() async throws {
        let api = try await Fixture.api()
        var service = Fixture.service("web", port: 80)
        for (field, value) in [("clusterIP", "None"), ("publishNotReadyAddresses", true), ("ports", .null)] as [(String, JSON)] {
            service["spec"][field] = value
        }
        _ = try await api.create(.services, service)
        var pod = Fixture.pod("a", labels: ["app": "web"], node: "n1")
        (pod["spec"]["hostname"], pod["spec"]["subdomain"]) = ("h", "web")
        _ = try await api.create(.pods, pod)
        try await report(api, "a", ready: false, ip: "10.244.1.2")
        try await withControllers(api, [EndpointsReconciler()], kubelet: false) {
            try await eventually("they are there") { try await addresses(api, "addresses") == ["10.244.1.2"] }
            let slice = try #require(try await slices(api).first)
            #expect(slice.endpoints.map { $0["conditions"] } == [["ready": true, "serving": false, "terminating": false]])
            #expect(slice.json["metadata"]["generateName"].string == "web-")
            let endpoints = try await api.get(.endpoints, Fixture.key("web"))
            #expect(endpoints["subsets"].items.first?["addresses"].items.first?["hostname"].string == "h")
            #expect(endpoints["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"].string == "endpoint-controller")
            #expect(endpoints["metadata"]["labels"]["service.kubernetes.io/headless"].string == "")
            for object in [slice.json, endpoints] {
                #expect(object["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"].string == "\(Fixture.time)")
            }
        }
    }

    @Test("a pod on its way out is no longer ready, and then no endpoint")
    func deletion() async throws {
        let api = try await site()
        try await withControllers(api, [EndpointsReconciler()], kubelet: false) {
            try await eventually("a is ready") { try await readiness(api)["10.244.1.2"] == true }
            try await api.delete(.pods, Fixture.key("a"))
            try await eventually("a is terminating") { try await readiness(api) == ["10.244.1.2": false, "10.244.1.3": false] }
            let leaving = try await slices(api).flatMap(\.endpoints).first { $0["targetRef"]["name"].string == "a" }
            #expect(leaving?["conditions"]["terminating"].bool == true)
            #expect(leaving?["conditions"]["serving"].bool == true)
            try await api.delete(.pods, Fixture.key("a"), gracePeriod: 0, uid: nil)
            try await eventually("a is gone") { try await readiness(api) == ["10.244.1.3": false] }
        }
    }

    @Test("a pod whose label is taken away leaves the endpoints")
    func relabelling() async throws {
        let api = try await site()
        try await withControllers(api, [EndpointsReconciler()], kubelet: false) {
            try await eventually("a is ready") { try await readiness(api)["10.244.1.2"] == true }
            _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["labels": ["app": "quarantine"]]])
            try await eventually("a has left", within: .seconds(5)) { try await readiness(api) == ["10.244.1.3": false] }
        }
    }

    @Test("a named port is each pod's own number")
    func namedPort() async throws {
        let api = try await Fixture.api()
        var service = Fixture.service("web")
        service["spec"]["ports"] = [["port": 80, "targetPort": "http"]]
        _ = try await api.create(.services, service)
        for (name, port, ip) in [("a", 8080, "10.244.1.2"), ("b", 9090, "10.244.1.3")] {
            var pod = Fixture.pod(name, labels: ["app": "web"], node: "n1")
            pod["spec"]["containers"] = [["name": "main", "image": "httpd", "ports": [["name": "http", "containerPort": .int(port)]]]]
            _ = try await api.create(.pods, pod)
            try await report(api, name, ready: true, ip: ip)
        }
        try await EndpointsReconciler().reconcile(Fixture.key("web"), api)
        var ports: [String: Int] = [:]
        for slice in try await slices(api) {
            for endpoint in slice.endpoints { ports[endpoint["targetRef"]["name"].string ?? ""] = slice.ports.first?["port"].int }
        }
        #expect(ports == ["a": 8080, "b": 9090])
    }

    @Test("what mirrors Endpoints goes when their Service gets a selector, and an ExternalName's own are not mirrored")
    func mirrorsEnd() async throws {
        let api = try await Fixture.api(), reconciler = EndpointsReconciler()
        func mirrors() async throws -> Int {
            try await slices(api).filter { $0.labels["endpointslice.kubernetes.io/managed-by"]?.contains("mirroring") == true }.count
        }
        var service = Fixture.service("web")
        service["spec"]["selector"] = .null
        _ = try await api.create(.services, service)
        _ = try await api.create(
            .endpoints,
            [
                "metadata": ["name": "web", "namespace": "default"],
                "subsets": [["addresses": [["ip": "10.244.1.99"]], "ports": [["port": 80]]]],
            ])
        try await reconciler.reconcile(Fixture.key("web"), api)
        #expect(try await mirrors() == 1)
        _ = try await api.patch(.services, Fixture.key("web"), ["spec": ["selector": ["app": "web"]]])
        try await reconciler.reconcile(Fixture.key("web"), api)
        #expect(try await mirrors() == 0)
        _ = try await api.patch(.services, Fixture.key("web"), ["spec": ["type": "ExternalName", "externalName": "foo.example"]])
        try await reconciler.reconcile(Fixture.key("web"), api)
        #expect(try await mirrors() == 0)
    }

    @Test("a Service without a selector leaves its endpoints to others")
    func withoutSelector() async throws {
        let api = try await Fixture.api()
        var service = Fixture.service("web")
        service["spec"]["selector"] = .null
        _ = try await api.create(.services, service)
        let slice: JSON = [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": ["name": "mine", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]], "addressType": "IPv4",
            "endpoints": [["addresses": ["192.0.2.1"]]], "ports": [["port": 80]],
        ]
        _ = try await api.create(.endpointSlices, slice)
        try await EndpointsReconciler().reconcile(Fixture.key("web"), api)
        #expect(try await slices(api).map(\.name) == ["mine"])
    }
}
