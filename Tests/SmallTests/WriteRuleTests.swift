import API
import Model
import Testing

/// What an update, a binding or an eviction may change, and for whom.
@Suite("the rules of writes")
struct WriteRuleTests {
    private let api: APIServer
    private let router: Router

    init() async throws {
        api = try await Fixture.api()
        router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
    }

    private func refusal(_ call: () async throws -> Void) async throws -> StatusError {
        do { try await call() } catch let error as StatusError { return error }
        throw TookTooLong(what: "a refusal came")
    }

    private func send(
        _ method: String, _ path: String, _ body: JSON, type: String = "application/json", user: String? = nil
    ) async -> (code: Int, body: JSON) {
        let headers = user.map { [(name: "Impersonate-User", value: $0)] } ?? []
        let request = HTTPRequest(method: method, target: path, contentType: type, headers: headers, body: body.bytes())
        guard case .json(let answer, let code) = await router.respond(request) else { return (0, .null) }
        return (code, answer)
    }

    @Test("a Service that comes by an address later takes nobody's")
    func addressOnUpdate() async throws {
        let address = try #require(try await api.create(.services, Fixture.service("a"))["spec"]["clusterIP"].string)
        var named = Fixture.service("b", type: "ExternalName")
        named["spec"]["externalName"] = "example.com"
        named = try await api.create(.services, named)
        named["spec"]["type"] = "ClusterIP"
        named["spec"]["clusterIP"] = .string(address)
        #expect(try await refusal { _ = try await api.update(.services, named) }.message.contains("provided IP is already allocated"))
    }

    @Test("many Services at once have no address and no port in common", .timeLimit(.minutes(5)))
    func allocations() async throws {
        let api = api
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask { _ = try await api.create(.services, Fixture.service("s\(number)", type: "NodePort")) }
            }
            try await group.waitForAll()
        }
        let all = try await api.store.list(.services).items
        #expect(Set(all.map { $0["spec"]["clusterIP"] }).count == 100)
        #expect(Set(all.map { $0["spec"]["ports"][0]["nodePort"] }).count == 100)
    }

    @Test("a Service's type takes with it what only that type has")
    func serviceTypes() async throws {
        var service = try await api.create(.services, Fixture.service("a", type: "NodePort"))
        service["spec"]["type"] = "ClusterIP"
        service = try await api.update(.services, service)
        #expect(service["spec"]["externalTrafficPolicy"].isNull && service["spec"]["ports"][0]["nodePort"].isNull)
        let headless = try await api.create(.services, Fixture.service("h", clusterIP: "None"))
        let error = try await refusal { _ = try await api.patch(.services, Fixture.key("h"), ["spec": ["type": "NodePort"]]) }
        #expect(error.causes.map(\.field) == ["spec.clusterIPs[0]"] && headless["spec"]["clusterIP"] == "None")
    }

    @Test("what a change takes more counts against the quota")
    func quotaOnUpdate() async throws {
        _ = try await api.create(
            .resourceQuotas,
            [
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q", "namespace": "default"],
                "spec": ["hard": ["services.nodeports": "1", "services": "2"]],
            ])
        _ = try await api.create(.services, Fixture.service("a", type: "NodePort"))
        _ = try await api.create(.services, Fixture.service("b"))
        _ = try await api.patch(.services, Fixture.key("a"), ["metadata": ["labels": ["a": "b"]]])
        let error = try await refusal { _ = try await api.patch(.services, Fixture.key("b"), ["spec": ["type": "NodePort"]]) }
        #expect(
            error.message.hasSuffix(
                "exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1"))
    }

    @Test("a container that was added to a pod stays, as it was added")
    func ephemeralContainers() async throws {
        var pod = try await api.create(.pods, Fixture.pod("a"))
        let kind = try api.definition(.pods)
        pod["spec"]["ephemeralContainers"] = [["name": "e", "image": "i"]]
        pod = try await api.update(kind, pod, subresource: "ephemeralcontainers", WriteOptions()).object
        for change: JSON in [[], [["name": "e", "image": "j"]], [["name": "e", "image": "i"], ["name": "main", "image": "i"]]] {
            var changed = pod
            changed["spec"]["ephemeralContainers"] = change
            let error = try await refusal { _ = try await api.update(kind, changed, subresource: "ephemeralcontainers", WriteOptions()) }
            #expect(error.code == 422, "\(change.text())")
        }
        pod = try await api.get(.pods, Fixture.key("a"))
        #expect(pod["spec"]["ephemeralContainers"][0]["image"] == "i" && pod["metadata"]["generation"] == 2)
    }

    @Test("a binding that is tried out binds nothing; a pod that waits or goes is not bound")
    func bindings() async throws {
        let path = "/api/v1/namespaces/default/pods/a/binding"
        let binding: JSON = [
            "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "a", "annotations": ["x": "y"]], "target": ["name": "n1"],
        ]
        var gated = Fixture.pod("a")
        gated["spec"]["schedulingGates"] = [["name": "example.com/wait"]]
        gated["metadata"]["finalizers"] = ["example.com/wait"]
        _ = try await api.create(.pods, gated)
        #expect(await send("POST", path, binding).body["message"].string?.hasSuffix("pod a has non-empty .spec.schedulingGates") == true)
        _ = try await api.patch(.pods, Fixture.key("a"), ["spec": ["schedulingGates": []]])
        #expect(await send("POST", path + "?dryRun=All", binding).code == 201)
        #expect(try await api.get(.pods, Fixture.key("a"))["spec"]["nodeName"].isNull)
        var other = binding
        other["metadata"]["uid"] = "another"
        #expect(await send("POST", path, other).code == 409)
        other["metadata"] = ["name": "b"]
        #expect(await send("POST", path, other).code == 400)
        try await api.delete(.pods, Fixture.key("a"), gracePeriod: nil, uid: nil)
        #expect(
            await send("POST", path, binding).body["message"].string?.hasSuffix("is being deleted, cannot be assigned to a host") == true)
        _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["finalizers": []]])
        _ = try await api.create(.pods, Fixture.pod("a"))
        #expect(await send("POST", path, binding).code == 201)
        let pod = try await api.get(.pods, Fixture.key("a"))
        #expect(pod["spec"]["nodeName"] == "n1" && pod["metadata"]["annotations"]["x"] == "y")
    }

    @Test("an eviction of a version that has passed does nothing")
    func evictionOfVersion() async throws {
        let pod = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["labels": ["a": "b"]]])
        var eviction: JSON = ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "a"]]
        eviction["deleteOptions"] = ["preconditions": ["resourceVersion": pod["metadata"]["resourceVersion"]]]
        let path = "/api/v1/namespaces/default/pods/a/eviction"
        #expect(await send("POST", path, eviction).code == 409)
        var current = try await api.get(.pods, Fixture.key("a"))
        #expect(current["status"]["conditions"].isNull && current["metadata"]["deletionTimestamp"].isNull)
        eviction["deleteOptions"]["preconditions"]["resourceVersion"] = current["metadata"]["resourceVersion"]
        #expect(await send("POST", path, eviction).code == 201)
        current = try await api.get(.pods, Fixture.key("a"))
        #expect(!current["metadata"]["deletionTimestamp"].isNull)
    }

    @Test("of a pod's spec a client changes what Kubernetes lets it change")
    func podUpdates() async throws {
        let key = Fixture.key("a"), path = "/api/v1/namespaces/default/pods/a"
        var pod = Fixture.pod("a")
        pod["spec"]["tolerations"] = [["key": "a", "operator": "Exists"]]
        _ = try await api.create(.pods, pod)
        for change: JSON in [
            ["nodeName": "n1"], ["tolerations": []], ["schedulingGates": [["name": "example.com/a"]]], ["terminationGracePeriodSeconds": 1],
            ["nodeSelector": ["a": "b"]],
        ] {
            let answer = await send("PATCH", path, ["spec": change], type: "application/merge-patch+json")
            #expect(answer.code == 422, "\(change.text()): \(answer.body.text())")
        }
        let kept = try await api.get(.pods, key)["spec"]["tolerations"]
        let more = JSON.array(kept.items + [["key": "b", "operator": "Exists"]])
        #expect(await send("PATCH", path, ["spec": ["tolerations": more]], type: "application/merge-patch+json").code == 200)
        pod["metadata"]["name"] = "g"
        pod["spec"]["schedulingGates"] = [["name": "example.com/a"]]
        _ = try await api.create(.pods, pod)
        #expect(
            await send("PATCH", path.dropLast() + "g", ["spec": ["nodeSelector": ["a": "b"]]], type: "application/merge-patch+json").code
                == 200)
        #expect(
            await send("PATCH", path.dropLast() + "g", ["spec": ["nodeSelector": ["a": "c"]]], type: "application/merge-patch+json").code
                == 422)
    }

    @Test("what is the server's of the metadata is refused, not overwritten in silence")
    func metadata() async throws {
        var map = try await api.create(.configMaps, Fixture.configMap("a"))
        let path = "/api/v1/namespaces/default/configmaps/a"
        map["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        #expect(await send("PUT", path, map).code == 422)
        #expect(await send("PATCH", path, ["metadata": ["namespace": "other"]], type: "application/merge-patch+json").code == 400)
        #expect(await send("PATCH", path, ["metadata": ["finalizers": ["x"]]], type: "application/merge-patch+json").code == 422)
        map["metadata"]["deletionTimestamp"] = .null
        map["metadata"]["resourceVersion"] = "0"
        #expect(await send("PUT", path, map).code == 200)
        var space = try await api.get(.namespaces, ObjectKey("", "default"))
        space["spec"]["finalizers"] = []
        #expect(await send("PUT", "/api/v1/namespaces/default", space).body["spec"]["finalizers"] == ["kubernetes"])
    }

    @Test("an update creates where Kubernetes lets it, and for whom may create")
    func createOnUpdate() async throws {
        let rule: JSON = ["apiGroups": [""], "resources": ["services", "configmaps"], "verbs": ["get", "update"]]
        _ = try await api.create(
            .clusterRoles,
            ["apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "updater"], "rules": [rule]])
        let role: JSON = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "updater"]
        _ = try await api.create(
            .roleBindings,
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "u", "namespace": "default"],
                "roleRef": role,
                "subjects": [["kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"]],
            ])
        let services = "/api/v1/namespaces/default/services/a", maps = "/api/v1/namespaces/default/configmaps/a"
        #expect(await send("PUT", services, Fixture.service("a"), user: "u").code == 403)
        #expect(await send("PUT", services, Fixture.service("a")).code == 201)
        #expect(await send("PUT", services, Fixture.service("a"), user: "u").code == 200)
        #expect(await send("PUT", maps, Fixture.configMap("a")).code == 404)
    }

    @Test("an event of events.k8s.io says all that it has to, and stays as it was written")
    func groupEvents() async throws {
        let path = "/apis/events.k8s.io/v1/namespaces/default/events"
        var event: JSON = [
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": ["name": "e"], "eventTime": "2026-01-01T00:00:00.000000Z",
            "regarding": ["kind": "Pod", "name": "p", "namespace": "default"], "reason": "Started", "action": "Starting", "type": "Normal",
            "reportingController": "example.com/me", "reportingInstance": "me-0",
        ]
        func causes(_ method: String, _ path: String, _ change: (inout JSON) -> Void) async -> [JSON] {
            var changed = event
            change(&changed)
            return await send(method, path, changed).body["details"]["causes"].items.map { $0["field"] }
        }
        #expect(await causes("POST", path) { $0["action"] = .null } == ["action"])
        #expect(await causes("POST", path) { $0["type"] = "Bogus" } == ["type"])
        #expect(await causes("POST", path) { $0["eventTime"] = .null } == ["eventTime"])
        #expect(await causes("POST", path) { $0["series"] = ["count": 1] } == ["series.count", "series.lastObservedTime"])
        #expect(await causes("POST", path) { $0["deprecatedCount"] = 1 } == ["count"])
        let made = await send("POST", path, event)
        #expect(made.code == 201 && made.body.text().contains(#""deprecatedFirstTimestamp":null"#), "\(made.body.text())")
        event["metadata"] = made.body["metadata"]
        #expect(await causes("PUT", "\(path)/e") { $0["note"] = "other" } == ["message"])
        #expect(await causes("PUT", "\(path)/e") { $0["regarding"]["name"] = "q" } == ["involvedObject"])
        event["kind"] = "Eventx"
        #expect(await send("PUT", "\(path)/e", event).code == 400)
    }

    @Test("a node that a client adds waits until it is ready; one of the cluster's own says for itself")
    func newNodes() async throws {
        let made = await send("POST", "/api/v1/nodes", Fixture.node("a")).body
        #expect(made["spec"]["taints"].items.last == ["key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"])
        #expect(made["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 0)
        #expect(try await api.create(.nodes, Fixture.node("b"))["spec"]["taints"].isNull)
    }

    @Test("what Go prints though nobody wrote it is there, and changes nothing")
    func shownNulls() async throws {
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        let role: JSON = ["apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": ["name": "r"]]
        let made = await send("POST", path, role).body
        #expect(made.text().contains(#""rules":null"#))
        #expect(await send("PUT", "\(path)/r", made).body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"])
    }

    @Test("a version that is no number is the server's fault as upstream has it, on a new object it counts for nothing")
    func wordsAsVersions() async throws {
        let maps = "/api/v1/namespaces/default/configmaps"
        var map = Fixture.configMap("a")
        map["metadata"]["resourceVersion"] = "text"
        #expect(await send("POST", maps, map).code == 201)
        let answer = await send("PUT", "\(maps)/a", map)
        #expect(answer.code == 500 && answer.body["message"] == #"strconv.ParseUint: parsing "text": invalid syntax"#)
        map["metadata"]["resourceVersion"] = .null
        map["metadata"]["namespace"] = ["x"]
        map["metadata"]["name"] = "b"
        #expect(await send("POST", maps, map).code == 400)
    }

    @Test("the generation counts what asks for something: a Deployment's annotations do, a PriorityClass nothing")
    func generations() async throws {
        var deployment = try await api.create(.deployments, Fixture.deployment("web"))
        deployment["metadata"]["annotations"] = ["deployment.kubernetes.io/revision": "1"]
        deployment = try await api.update(.deployments, deployment)
        #expect(deployment["metadata"]["generation"] == 1)
        deployment["metadata"]["annotations"]["a"] = "b"
        deployment["kind"] = .null
        #expect(try await api.update(.deployments, deployment)["metadata"]["generation"] == 2)
        let path = "/apis/scheduling.k8s.io/v1/priorityclasses"
        var priority = await send(
            "POST", path, ["apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": ["name": "p"], "value": 1]
        ).body
        priority["description"] = "more"
        #expect(await send("PUT", "\(path)/p", priority).body["metadata"]["generation"] == 1)
    }

    @Test("who is refused hears of fields that nobody knows, too")
    func warningsOfRefusals() async throws {
        var options = WriteOptions()
        (options.fieldManager, options.fieldValidation) = ("somebody", .warn)
        var pod = Fixture.pod("a")
        pod["spec"]["bogus"] = 1
        pod["spec"]["containers"] = []
        let kind = try api.definition(.pods)
        let error = try await refusal { _ = try await api.create(kind, pod, options) }
        #expect(error.code == 422 && error.warnings == [#"unknown field "spec.bogus""#])
        pod = Fixture.pod("a.b")
        pod["spec"]["imagePullSecrets"] = [["name": "x"], ["name": "x"]]
        #expect(
            try await api.create(kind, pod, options).warnings.suffix(1) == [#"spec.imagePullSecrets[1].name: duplicate name "x""#])
    }
}
