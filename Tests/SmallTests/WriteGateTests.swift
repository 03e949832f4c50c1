import API
import Model
import Store
import Testing

@Suite("writes that meet others")
struct WriteGateTests {
    private func refusal(_ call: () async throws -> Void) async throws -> StatusError {
        do { try await call() } catch let error as StatusError { return error }
        throw TookTooLong(what: "a refusal came")
    }

    @Test("a server-side apply that creates writes once")
    func applyCreates() async throws {
        let api = try await Fixture.api()
        let kind = try #require(Registry.kind(of: .configMaps))
        var options = WriteOptions()
        options.fieldManager = "t"
        let watch = try await api.watch(.configMaps, namespace: nil, from: api.store.list(.configMaps).revision)
        _ = try await api.patch(kind, Fixture.key("c"), .apply(Fixture.configMap("c", ["a": "1"])), subresource: nil, options)
        _ = try await api.create(.configMaps, Fixture.configMap("d"))
        let events = try await take(2, from: watch)
        #expect(events.map { $0.object.objectName } == ["c", "d"], "one event for c")
        let managed = events[0].object["metadata"]["managedFields"]
        #expect(managed.items.count == 1 && managed[0]["operation"] == "Apply")
    }

    @Test("an eviction undoes no write that somebody else was told had succeeded", .timeLimit(.minutes(5)))
    func evictionLosesNothing() async throws {
        for round in 0..<20 {
            let api = try await Fixture.api()
            let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
            _ = try await api.create(.pods, Fixture.pod("a", node: "n1"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        _ = try await api.patch(.pods, Fixture.key("a"), ["metadata": ["annotations": ["w\(number)": "1"]]])
                    }
                }
                group.addTask {
                    let body: JSON = ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "a"]]
                    let request = HTTPRequest(
                        method: "POST", target: "/api/v1/namespaces/default/pods/a/eviction", accept: "", contentType: "application/json",
                        body: body.bytes())
                    guard case .json(let answer, 201) = await router.respond(request) else {
                        Issue.record("the eviction was refused")
                        return
                    }
                    #expect(answer["status"] == "Success")
                }
                try await group.waitForAll()
            }
            let pod = try await api.get(.pods, Fixture.key("a"))
            #expect(pod["metadata"]["annotations"].stringMap.count == 12, "round \(round)")
            #expect(pod["status"]["conditions"].condition("DisruptionTarget") == "True")
        }
    }

    @Test("of many that bind a pod at once, one does", .timeLimit(.minutes(5)))
    func oneBinding() async throws {
        let api = try await Fixture.api()
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        _ = try await api.create(.pods, Fixture.pod("a"))
        let codes = await withTaskGroup(of: Int.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let body: JSON = [
                        "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "a"], "target": ["kind": "Node", "name": "n\(number)"],
                    ]
                    let target = "/api/v1/namespaces/default/pods/a/binding"
                    let request = HTTPRequest(method: "POST", target: target, contentType: "application/json", body: body.bytes())
                    guard case .json(_, let code) = await router.respond(request) else { return 0 }
                    return code
                }
            }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(codes.sorted() == [201] + Array(repeating: 409, count: 15))
    }

    @Test("an address that no pod can have is not dialled for pods/proxy")
    func proxiedAddress() async throws {
        let api = try await Fixture.api()
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        let pod = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        for (address, expected) in [("169.254.169.254", 400), ("127.0.0.1", 400), (api.cluster.podSubnet[9].description, 503)] {
            var said = pod
            said["metadata"]["resourceVersion"] = .null
            said["status"]["podIP"] = .string(address)
            _ = try await api.updateStatus(.pods, said)
            let answer = await router.respond(HTTPRequest(method: "GET", target: "/api/v1/namespaces/default/pods/a:80/proxy/"))
            guard case .json(let body, let code) = answer else {
                Issue.record("no answer in JSON")
                return
            }
            #expect(code == expected, "\(address): \(body.text())")
        }
    }

    @Test("services/proxy dials the addresses of the Service's pods, and no other that a slice names")
    func proxiedEndpoint() async throws {
        var cluster = Cluster()
        let node = Cluster.NodeSpec(
            name: "n1", isControlPlane: true, address: cluster.nodeSubnet[129],
            podCIDR: try #require(cluster.podSubnet.subnet(1, length: 24)),
            taints: .null, labels: [:])
        cluster.nodes = [node]
        let api = APIServer(store: try ObjectStore(), cluster: cluster, now: { Fixture.time })
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        _ = try await api.create(.services, Fixture.service("a"))
        let own = node.podCIDR[9].description
        let cases: [(address: String, pod: String?, podIP: String, ready: JSON, message: String)] = [
            (own, "p0", own, .null, "error trying to reach service: dial tcp"),
            (own, "p1", own, true, "error trying to reach service: dial tcp"),
            (own, "p2", own, false, "no endpoints available"), (own, nil, own, true, "no endpoints available"),
            (own, "p4", node.podCIDR[10].description, true, "no endpoints available"),
            ("127.0.0.1", "p5", "127.0.0.1", true, "no endpoints available"), ("127.0.0.1", nil, own, true, "no endpoints available"),
            (node.address.description, "p7", node.address.description, true, "no endpoints available"),
            (node.podCIDR[1].description, "p8", node.podCIDR[1].description, true, "no endpoints available"),
        ]
        for (index, (address, pod, podIP, ready, message)) in cases.enumerated() {
            var stored = Fixture.pod("p\(index)", labels: ["app": "a"], node: node.name)
            stored["status"] = ["phase": "Running", "podIP": .string(podIP), "podIPs": [["ip": .string(podIP)]]]
            _ = try await api.store.create(.pods, stored)
            let target: JSON = pod.map { ["kind": "Pod", "namespace": "default", "name": .string($0)] } ?? .null
            let slice: JSON = [
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": ["name": "s\(index)", "namespace": "default", "labels": ["kubernetes.io/service-name": "a"]],
                "ports": [["name": "", "port": 80, "protocol": "TCP"]],
                "endpoints": [["addresses": [.string(address)], "conditions": ["ready": ready], "targetRef": target]],
            ]
            _ = try await api.store.create(.endpointSlices, slice)
            let answer = await router.respond(HTTPRequest(method: "GET", target: "/api/v1/namespaces/default/services/a/proxy/"))
            guard case .json(let body, _) = answer else {
                Issue.record("no answer in JSON")
                return
            }
            #expect(body["message"].string?.contains(message) == true, "\(index) \(address): \(body.text())")
            _ = try await api.store.delete(.endpointSlices, Fixture.key("s\(index)"))
        }
    }

    @Test("a Service that waits for a finalizer keeps its address until it is gone")
    func addressAfterDeletion() async throws {
        let api = try await Fixture.api()
        var service = Fixture.service("a")
        service["metadata"]["finalizers"] = ["example.com/wait"]
        let address = try await api.create(.services, service)["spec"]["clusterIP"].string
        try await api.delete(.services, Fixture.key("a"), gracePeriod: nil, uid: nil)
        let taken = try await refusal { _ = try await api.create(.services, Fixture.service("b", clusterIP: address)) }
        #expect(taken.code == 422)
        _ = try await api.patch(.services, Fixture.key("a"), ["metadata": ["finalizers": []]])
        _ = try await api.create(.services, Fixture.service("b", clusterIP: address))
    }

    @Test("what asks for IPv6 of an IPv4 cluster is refused in Kubernetes' words")
    func families() async throws {
        let api = try await Fixture.api()
        var dual = Fixture.service("a")
        dual["spec"]["ipFamilyPolicy"] = "RequireDualStack"
        #expect(
            try await refusal { _ = try await api.create(.services, dual) }.message
                == #"Service "a" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services"#
        )
        var six = Fixture.service("a")
        six["spec"]["ipFamilies"] = ["IPv6"]
        #expect(
            try await refusal { _ = try await api.create(.services, six) }.message
                == #"Service "a" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster"#)
        var prefer = Fixture.service("a")
        prefer["spec"]["ipFamilyPolicy"] = "PreferDualStack"
        let made = try await api.create(.services, prefer)["spec"]
        #expect(made["ipFamilies"] == ["IPv4"] && made["ipFamilyPolicy"] == "PreferDualStack")
        // One that becomes a name for another lets go of its families.
        let named = try await api.patch(.services, Fixture.key("a"), ["spec": ["type": "ExternalName", "externalName": "example.com"]])[
            "spec"]
        #expect(named["ipFamilies"].isNull && named["ipFamilyPolicy"].isNull)
    }

    @Test("a claim template may say what it is")
    func claimTemplates() async throws {
        let api = try await Fixture.api()
        var set = Fixture.deployment("db")
        set["kind"] = "StatefulSet"
        set["spec"]["serviceName"] = "db"
        set["spec"]["volumeClaimTemplates"] = [
            [
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "data"],
                "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
            ]
        ]
        _ = try await api.create(.statefulSets, set)
    }

    @Test("a ClusterRoleBinding's account has no namespace to come from")
    func clusterBinding() async throws {
        let api = try await Fixture.api()
        let error = try await refusal {
            _ = try await api.create(
                .clusterRoleBindings,
                [
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": ["name": "b"],
                    "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"],
                    "subjects": [["kind": "ServiceAccount", "name": "robot"]],
                ])
        }
        #expect(error.causes.map(\.field) == ["subjects[0].namespace"])
    }
}
