import API
import Model
import Store
import Synchronization
import Testing

/// The error of a call that has to fail.
private func refusal(_ call: () async throws -> Void) async throws -> StatusError {
    do { try await call() } catch let error as StatusError { return error }
    throw NotRefused()
}

private struct NotRefused: Error {}

private func setting(_ object: JSON, _ change: (inout JSON) -> Void) -> JSON {
    var object = object
    change(&object)
    return object
}

@Suite("The API server: defaults")
struct APIDefaults {
    @Test("a pod gets Kubernetes' defaults")
    func pod() async throws {
        let pod = try await Fixture.api().create(.pods, Fixture.pod("a"))
        #expect(pod["spec"]["restartPolicy"].string == "Always")
        #expect(pod["spec"]["terminationGracePeriodSeconds"].int == 30)
        #expect(pod["spec"]["dnsPolicy"].string == "ClusterFirst")
        #expect(pod["status"]["phase"].string == "Pending")
        #expect(pod["metadata"]["creationTimestamp"].string == Fixture.time.description)
        #expect(pod["metadata"]["uid"].string?.count == 36)
    }

    @Test(
        "an image without a tag or with :latest is always pulled, any other if it is not there",
        arguments: [
            ("httpd", "Always"), ("httpd:latest", "Always"), ("httpd:2.4", "IfNotPresent"), ("host:5000/team/httpd", "Always"),
            ("httpd@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "IfNotPresent"),
        ])
    func imagePullPolicy(_ image: String, _ policy: String) async throws {
        let pod = try await Fixture.api().create(
            .pods,
            setting(Fixture.pod("a", image: image)) {
                $0["spec"]["volumes"] = [["name": "v", "image": ["reference": .string(image)]]]
            })
        #expect(pod["spec"]["volumes"].items.first { $0["name"].string == "v" }?["image"]["pullPolicy"].string == policy)
        #expect(pod["spec"]["containers"][0]["imagePullPolicy"].string == policy)
    }

    @Test("a pod's image volume names its image; a template may leave that out")
    func imageVolume() async throws {
        let api = try await Fixture.api(), volumes: JSON = [["name": "v", "image": ["pullPolicy": "Never"]]]
        let error = await #expect(throws: StatusError.self) {
            _ = try await api.create(.pods, setting(Fixture.pod("a")) { $0["spec"]["volumes"] = volumes })
        }
        #expect("\(try #require(error))".contains("spec.volumes[0].image.reference: Required value"))
        let mistaken: JSON = [["name": "v", "image": ["reference": "x", "pullPolicy": "Sometimes"]]]
        await #expect(throws: StatusError.self) {
            _ = try await api.create(.pods, setting(Fixture.pod("b")) { $0["spec"]["volumes"] = mistaken })
        }
    }

    @Test("a volume that says nothing of what it is made of is an empty directory")
    func emptyVolume() async throws {
        let pod = try await Fixture.api().create(.pods, setting(Fixture.pod("a")) { $0["spec"]["volumes"] = [["name": "v"]] })
        #expect(pod["spec"]["volumes"].items.first { $0["name"].string == "v" }?["emptyDir"] == .emptyObject)
    }

    @Test("a StatefulSet's containers mount its claim templates, which may say what kind they are; other names are not found")
    func claimTemplates() async throws {
        func set(_ mount: String) -> JSON {
            var object = Fixture.deployment("web")
            object["kind"] = "StatefulSet"
            object["spec"]["strategy"] = .null
            object["spec"]["serviceName"] = "web"
            object["spec"]["template"]["spec"]["containers"] = [
                ["name": "main", "image": "busybox", "volumeMounts": [["name": .string(mount), "mountPath": "/data"]]]
            ]
            object["spec"]["volumeClaimTemplates"] = [
                [
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": ["name": "data"],
                    "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
                ]
            ]
            return object
        }
        let api = try await Fixture.api()
        let made = try await api.create(.statefulSets, set("data"))
        #expect(made["spec"]["volumeClaimTemplates"][0]["kind"].string == "PersistentVolumeClaim")
        let error = try await refusal { _ = try await api.create(.statefulSets, set("other")) }
        #expect(error.causes.map(\.field) == ["spec.template.spec.containers[0].volumeMounts[0].name"])
    }

    @Test("who writes a field that changes nothing yet is told so")
    func unapplied() async throws {
        let api = try await Fixture.api()
        func warnings(_ resource: Resource, _ object: JSON) async throws -> [String] {
            var options = WriteOptions()
            options.fieldManager = "somebody"
            return try await api.create(try await api.definition(resource), object, options).warnings
        }
        let pod = setting(Fixture.pod("a")) {
            $0["spec"]["hostUsers"] = false
            $0["spec"]["securityContext"] = ["seccompProfile": ["type": "RuntimeDefault"], "appArmorProfile": ["type": "Unconfined"]]
        }
        #expect(
            try await warnings(.pods, pod) == [
                "spec.hostUsers: accepted, but minik does not apply it yet",
                "spec.securityContext.seccompProfile: accepted, but minik does not apply it yet",
            ])
        let deployment = setting(Fixture.deployment("web")) { $0["spec"]["template"]["spec"]["hostUsers"] = false }
        #expect(try await warnings(.deployments, deployment) == ["spec.template.spec.hostUsers: accepted, but minik does not apply it yet"])
        #expect(try await warnings(.pods, Fixture.pod("b")).isEmpty)
    }

    @Test("a Deployment has one replica and rolls by a quarter")
    func deployment() async throws {
        let spec = try await Fixture.api().create(.deployments, Fixture.deployment("web"))["spec"]
        #expect(spec["replicas"].int == 1)
        #expect(spec["strategy"] == json(["type": "RollingUpdate", "rollingUpdate": ["maxUnavailable": "25%", "maxSurge": "25%"]]))
        #expect(spec["revisionHistoryLimit"].int == 10)
        #expect(spec["progressDeadlineSeconds"].int == 600)
    }

    @Test("each half of a rolling update has its own default")
    func rollingUpdate() async throws {
        let object = setting(Fixture.deployment("web")) { $0["spec"]["strategy"] = ["rollingUpdate": ["maxSurge": 1]] }
        let strategy = try await Fixture.api().create(.deployments, object)["spec"]["strategy"]
        #expect(strategy["rollingUpdate"] == json(["maxUnavailable": "25%", "maxSurge": 1]))
    }

    @Test("a Service's port goes to the same port over TCP")
    func service() async throws {
        let spec = try await Fixture.api().create(.services, Fixture.service("web", port: 8080))["spec"]
        #expect(spec["type"].string == "ClusterIP")
        #expect(spec["sessionAffinity"].string == "None")
        #expect(spec["ports"][0]["protocol"].string == "TCP")
        #expect(spec["ports"][0]["targetPort"].int == 8080)
    }

    @Test("a NetworkPolicy without policyTypes is about ingress, and about egress only if it has egress rules")
    func policyTypes() async throws {
        let api = try await Fixture.api()
        let specs: [(JSON, [String])] = [
            (["podSelector": .emptyObject], ["Ingress"]),
            (["podSelector": .emptyObject, "egress": [.emptyObject]], ["Ingress", "Egress"]),
            (["podSelector": .emptyObject, "egress": []], ["Ingress"]),
            (["podSelector": .emptyObject, "egress": [.emptyObject], "policyTypes": ["Egress"]], ["Egress"]),
        ]
        for (index, (spec, types)) in specs.enumerated() {
            let policy = setting(Fixture.networkPolicy(spec)) { $0["metadata"]["name"] = "rules-\(index)" }
            let stored = try await api.create(.networkPolicies, policy)
            #expect(stored["spec"]["policyTypes"].items.compactMap(\.string) == types, "\(spec.text())")
        }
    }

    @Test("a namespace carries its name as a label, a Secret's stringData ends up encoded in data")
    func prepared() async throws {
        let api = try await Fixture.api()
        let namespace = try await api.get(.namespaces, ObjectKey("", "default"))
        #expect(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"].string == "default")
        let secret = try await api.create(
            .secrets,
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s", "namespace": "default"], "stringData": ["user": "admin"]])
        #expect(secret["data"] == json(["user": "YWRtaW4="]))
        #expect(secret["stringData"].isNull)
        #expect(secret["type"].string == "Opaque")
    }

    @Test("generateName is followed by five characters")
    func generateName() async throws {
        let pod = setting(Fixture.pod("a")) { $0["metadata"] = ["generateName": "web-", "namespace": "default"] }
        let name = try await Fixture.api().create(.pods, pod).objectName
        #expect(name.wholeMatch(of: #/web-[a-z0-9]{5}/#) != nil, "\(name)")
        let long = setting(pod) { $0["metadata"]["generateName"] = .string(String(repeating: "w", count: 70)) }
        let short = try await Fixture.api().create(.pods, long).objectName
        #expect(short.utf8.count == 63 && short.hasPrefix(String(repeating: "w", count: 58)), "a name is a label: \(short)")
    }

    @Test("of generated names that are taken another is tried, eight in all")
    func generatedNamesTaken() async throws {
        let given = Mutex(0)
        let suffix: @Sendable () -> String = {
            given.withLock { count in
                count += 1; return "\(count)"
            }
        }
        let api = APIServer(store: try ObjectStore(), cluster: Cluster(), now: { Fixture.time }, nameSuffix: suffix)
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        for number in 1...7 { _ = try await api.create(.configMaps, Fixture.configMap("c-\(number)")) }
        let nameless = setting(Fixture.configMap("")) { $0["metadata"] = ["generateName": "c-", "namespace": "default"] }
        #expect(try await api.create(.configMaps, nameless).objectName == "c-8")
        for number in 9...16 { _ = try await api.create(.configMaps, Fixture.configMap("c-\(number)")) }
        let error = try await refusal { _ = try await api.create(.configMaps, nameless) }
        #expect(error.code == 409 && error.reason == .alreadyExists && given.withLock { $0 } == 16)
        #expect(
            error.message
                == "configmaps \"c-16\" already exists, the server was not able to generate a unique name for the object")
        #expect(error.details["retryAfterSeconds"] == 1)
        let named = setting(nameless) { $0["metadata"]["name"] = "c-3" }
        let taken = try await refusal { _ = try await api.create(.configMaps, named) }
        #expect(taken.reason == .alreadyExists && given.withLock { $0 } == 16, "a name that was given is tried once")
    }
}

@Suite("The API server: refusals")
struct APIRefusals {
    @Test("an unknown field is an error in the words of strict decoding")
    func unknownField() async throws {
        let api = try await Fixture.api()
        let pod = setting(Fixture.pod("a")) { $0["spec"]["contaners"] = [] }
        let error = try await refusal { _ = try await api.create(.pods, pod) }
        #expect(error.code == 400)
        #expect(error.reason == .badRequest)
        #expect(error.message == #"Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.contaners""#)
        let nested = setting(Fixture.deployment("web")) {
            $0["spec"]["template"]["spec"]["containers"] = [["name": "a", "image": "b", "comand": ["x"]]]
        }
        let deep = try await refusal { _ = try await api.create(.deployments, nested) }
        #expect(deep.message.hasSuffix(#"unknown field "spec.template.spec.containers[0].comand""#))
        #expect(try await api.list(.pods, namespace: nil, selector: nil).items.isEmpty)
    }

    @Test("a field of the wrong type is an error that names it")
    func wrongType() async throws {
        let api = try await Fixture.api()
        let object = setting(Fixture.deployment("web")) { $0["spec"]["replicas"] = "three" }
        let error = try await refusal { _ = try await api.create(.deployments, object) }
        #expect(error.code == 400)
        #expect(error.message.contains("spec.replicas"))
    }

    @Test("a node port outside the range is refused in Kubernetes' words")
    func nodePortRange() async throws {
        let api = try await Fixture.api()
        let error = try await refusal { _ = try await api.create(.services, Fixture.service("web", type: "NodePort", nodePort: 33000)) }
        #expect(error.code == 422)
        #expect(error.reason == .invalid)
        let words =
            "spec.ports[0].nodePort: Invalid value: 33000: provided port is not in the valid range. The range of valid ports is 30000-32767"
        #expect(error.message == #"Service "web" is invalid: \#(words)"#)
        #expect(error.causes.map(\.field) == ["spec.ports[0].nodePort"])
        for port in [30000, 32767] {
            let service = try await api.create(.services, Fixture.service("web-\(port)", type: "NodePort", nodePort: port))
            #expect(service["spec"]["ports"][0]["nodePort"].int == port)
        }
    }

    @Test("a node port on a ClusterIP Service is forbidden")
    func nodePortOfClusterIP() async throws {
        let api = try await Fixture.api()
        let error = try await refusal { _ = try await api.create(.services, Fixture.service("web", nodePort: 30080)) }
        #expect(error.causes.map(\.field) == ["spec.ports[0].nodePort"])
        #expect(error.message.contains("may not be used when `type` is 'ClusterIP'"))
    }

    @Test("a Deployment whose selector does not match its template is refused", arguments: [Resource.deployments, .replicaSets])
    func selectorMismatch(_ resource: Resource) async throws {
        let api = try await Fixture.api()
        let object = setting(Fixture.deployment("web", labels: ["app": "other"])) { $0["kind"] = .string(resource.kind) }
        let error = try await refusal { _ = try await api.create(resource, object) }
        #expect(error.code == 422)
        #expect(error.causes.map(\.field) == ["spec.template.metadata.labels"])
        #expect(error.message.contains("`selector` does not match template `labels`"))
    }

    @Test("an object of a namespace that is not there is refused")
    func namespaceNotFound() async throws {
        let api = try await Fixture.api()
        let pod = setting(Fixture.pod("a")) { $0["metadata"]["namespace"] = "nowhere" }
        let error = try await refusal { _ = try await api.create(.pods, pod) }
        #expect(error.code == 404)
        #expect(error.message == #"namespaces "nowhere" not found"#)
    }

    @Test("nothing new is created in a namespace that is on its way out")
    func namespaceTerminating() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.namespaces, Fixture.namespace("old"))
        try await api.delete(.namespaces, ObjectKey("", "old"))
        let namespace = try await api.get(.namespaces, ObjectKey("", "old"))
        #expect(namespace["status"]["phase"].string == "Terminating")
        let pod = setting(Fixture.pod("a")) { $0["metadata"]["namespace"] = "old" }
        let error = try await refusal { _ = try await api.create(.pods, pod) }
        #expect(error.code == 403)
        #expect(error.message == #"pods "a" is forbidden: unable to create new content in namespace old because it is being terminated"#)
    }

    @Test("a name that is none is refused in Kubernetes' words", arguments: ["My_Pod", "-a", "a..b", "a-"])
    func name(_ name: String) async throws {
        let api = try await Fixture.api()
        let error = try await refusal { _ = try await api.create(.pods, Fixture.pod(name)) }
        #expect(error.code == 422)
        let words =
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        #expect(error.message == #"Pod "\#(name)" is invalid: metadata.name: Invalid value: "\#(name)": \#(words)"#)
    }

    @Test("a long name is checked to its end")
    func longName() async throws {
        let api = try await Fixture.api()
        let long = String(repeating: "a", count: 63)
        let error = try await refusal { _ = try await api.create(.configMaps, Fixture.configMap("\(long)_B!")) }
        #expect(error.causes.map(\.field) == ["metadata.name"])
        let stored = try await api.create(.configMaps, Fixture.configMap("\(long)aa.\(long)"))
        #expect(stored.objectName.count == 129, "only the whole name has a limit")
    }

    @Test("a namespace's name is one label")
    func namespaceName() async throws {
        let api = try await Fixture.api()
        let dotted = try await refusal { _ = try await api.create(.namespaces, Fixture.namespace("a.b")) }
        #expect(
            dotted.message.contains(
                #"metadata.name: Invalid value: "a.b": must not contain dots"#))
        let long = try await refusal { _ = try await api.create(.namespaces, Fixture.namespace(String(repeating: "a", count: 64))) }
        #expect(long.message.contains("must be no more than 63"))
        let missing = try await refusal {
            _ = try await api.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": .emptyObject])
        }
        #expect(missing.message.contains("metadata.name: Required value: name or generateName is required"))
    }

    @Test("a label's value has to be one")
    func labelValue() async throws {
        let api = try await Fixture.api()
        let error = try await refusal { _ = try await api.create(.pods, Fixture.pod("a", labels: ["app": "not ok"])) }
        #expect(error.causes.map(\.field) == ["metadata.labels"])
        #expect(
            error.message.contains(
                #"Invalid value: "not ok": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"#))
    }

    @Test("a NetworkPolicy's CIDR with host bits is refused")
    func hostBits() async throws {
        let api = try await Fixture.api()
        func policy(_ block: JSON) -> JSON {
            Fixture.networkPolicy(["podSelector": .emptyObject, "ingress": [["from": [["ipBlock": block]]]]])
        }
        let error = try await refusal { _ = try await api.create(.networkPolicies, policy(["cidr": "10.0.0.7/8"])) }
        #expect(error.code == 422)
        #expect(error.causes.map(\.field) == ["spec.ingress[0].from[0].ipBlock.cidr"])
        #expect(error.message.contains(#"Invalid value: "10.0.0.7/8": must not have bits set beyond the prefix length"#))
        let hole = try await refusal {
            _ = try await api.create(.networkPolicies, policy(["cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/16"]]))
        }
        #expect(hole.causes.map(\.field) == ["spec.ingress[0].from[0].ipBlock.except[1]"])
        #expect(hole.message.contains("must be a strict subset of `cidr`"))
        _ = try await api.create(.networkPolicies, policy(["cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]]))
    }
}

@Suite("The API server: updates")
struct APIUpdates {
    @Test("a running pod's command cannot be changed, its image can")
    func podSpec() async throws {
        let api = try await Fixture.api()
        let pod = try await api.create(.pods, Fixture.pod("a"))
        let changed = setting(pod) { $0["spec"]["hostNetwork"] = true }
        let error = try await refusal { _ = try await api.update(.pods, changed) }
        #expect(error.code == 422)
        #expect(
            error.message.hasPrefix(
                #"Pod "a" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"#))
        let command = setting(pod) { $0["spec"]["containers"] = [["name": "main", "image": "httpd:2.4", "command": ["sh"]]] }
        let commandError = try await refusal { _ = try await api.update(.pods, command) }
        #expect(commandError.causes.map(\.field) == ["spec"])
        let image = setting(pod) { $0["spec"]["containers"] = [["name": "main", "image": "httpd:2.5"]] }
        let updated = try await api.update(.pods, image)
        #expect(updated["spec"]["containers"][0]["image"].string == "httpd:2.5")
    }

    @Test("a Deployment's selector cannot be changed")
    func selector() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.deployments, Fixture.deployment("web"))
        let other = setting(Fixture.deployment("web", labels: ["app": "b"])) { $0["spec"]["selector"] = ["matchLabels": ["app": "b"]] }
        let error = try await refusal { _ = try await api.update(.deployments, other) }
        #expect(error.causes.map(\.field) == ["spec.selector"])
        #expect(error.message.contains("field is immutable"))
    }

    @Test("an update from an old version is a conflict")
    func conflict() async throws {
        let api = try await Fixture.api()
        let old = try await api.create(.configMaps, Fixture.configMap("a", ["k": "1"]))
        _ = try await api.patch(.configMaps, Fixture.key("a"), ["data": ["k": "2"]])
        let error = try await refusal { _ = try await api.update(.configMaps, setting(old) { $0["data"]["k"] = "3" }) }
        #expect(error.code == 409)
        #expect(error.reason == .conflict)
        #expect(
            error.message
                == #"Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again"#
        )
        #expect(try await api.get(.configMaps, Fixture.key("a"))["data"]["k"].string == "2")
    }

    @Test("the generation moves with the spec and with nothing else")
    func generation() async throws {
        let api = try await Fixture.api()
        func generation(_ object: JSON) -> Int? { object["metadata"]["generation"].int }
        let created = try await api.create(.deployments, Fixture.deployment("web"))
        #expect(generation(created) == 1)
        let labelled = try await api.patch(.deployments, Fixture.key("web"), ["metadata": ["labels": ["a": "b"]]])
        #expect(generation(labelled) == 1)
        let reported = try await api.updateStatus(.deployments, setting(labelled) { $0["status"] = ["replicas": 1] })
        #expect(generation(reported) == 1)
        #expect(reported["status"]["replicas"].int == 1)
        let scaled = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["replicas": 3]])
        #expect(generation(scaled) == 2)
        #expect(scaled["status"]["replicas"].int == 1, "a write of the spec leaves the status")
        let same = try await api.patch(.deployments, Fixture.key("web"), ["spec": ["replicas": 3]])
        #expect(generation(same) == 2)
        #expect(same.objectRevision == scaled.objectRevision)
    }

    @Test("a write of the object cannot touch its status, nor one of the status its spec")
    func statusApart() async throws {
        let api = try await Fixture.api()
        let created = try await api.create(.deployments, Fixture.deployment("web", replicas: 2))
        let both = setting(created) {
            $0["spec"]["replicas"] = 5
            $0["status"] = ["replicas": 9]
        }
        let status = try await api.updateStatus(.deployments, both)
        #expect(status["spec"]["replicas"].int == 2)
        #expect(status["status"]["replicas"].int == 9)
        let spec = try await api.update(
            .deployments,
            setting(status) {
                $0["spec"]["replicas"] = 4; $0["status"] = .emptyObject
            })
        #expect(spec["spec"]["replicas"].int == 4)
        #expect(spec["status"]["replicas"].int == 9)
    }

    @Test("uid and creationTimestamp are not the writer's to change")
    func identity() async throws {
        let api = try await Fixture.api()
        let old = try await api.create(.configMaps, Fixture.configMap("a"))
        let updated = try await api.update(.configMaps, setting(old) { $0["metadata"]["creationTimestamp"] = "2000-01-01T00:00:00Z" })
        #expect(updated["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"])
        let error = try await refusal { _ = try await api.update(.configMaps, setting(old) { $0["metadata"]["uid"] = "another" }) }
        #expect(error.code == 409)
    }

    @Test("a merge patch removes what it sets to null")
    func mergePatch() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.configMaps, Fixture.configMap("a", ["keep": "1", "drop": "2"]))
        let patch = try JSON(parsing: #"{"data":{"drop":null,"new":"3"}}"#)
        let patched = try await api.patch(.configMaps, Fixture.key("a"), patch)
        #expect(patched["data"] == json(["keep": "1", "new": "3"]))
    }
}

@Suite("The API server: cluster addresses and node ports")
struct APIAllocation {
    private func clusterIP(of service: JSON) throws -> IPAddress {
        try #require(service["spec"]["clusterIP"].string.flatMap { IPAddress($0) })
    }

    @Test("every Service gets an address of its own inside the service subnet")
    func clusterIPs() async throws {
        let api = try await Fixture.api()
        var given: Set<IPAddress> = []
        for index in 0..<50 {
            let service = try await api.create(.services, Fixture.service("web-\(index)"))
            let address = try clusterIP(of: service)
            #expect(api.cluster.serviceSubnet.contains(address))
            #expect(address != api.cluster.serviceSubnet.network && address != api.cluster.serviceSubnet.last)
            #expect(service["spec"]["clusterIPs"] == json([.string(address.description)]))
            given.insert(address)
        }
        #expect(given.count == 50)
    }

    @Test("an address that another Service has is refused, one that nobody has is given")
    func duplicate() async throws {
        let api = try await Fixture.api()
        let first = try await api.create(.services, Fixture.service("a", clusterIP: "10.1.0.77"))
        #expect(first["spec"]["clusterIP"].string == "10.1.0.77")
        let error = try await refusal { _ = try await api.create(.services, Fixture.service("b", clusterIP: "10.1.0.77")) }
        #expect(error.code == 422)
        #expect(error.causes.map(\.field) == ["spec.clusterIPs"])
        #expect(error.message.hasSuffix("failed to allocate IP 10.1.0.77: provided IP is already allocated"))
        let outside = try await refusal { _ = try await api.create(.services, Fixture.service("c", clusterIP: "10.2.0.1")) }
        #expect(outside.message.contains("The range of valid IPs is 10.1.0.0/16"))
    }

    @Test("a headless Service has no address")
    func headless() async throws {
        let service = try await Fixture.api().create(.services, Fixture.service("a", clusterIP: "None"))
        #expect(service["spec"]["clusterIP"].string == "None")
        #expect(Service(service).clusterIP == nil)
    }

    @Test("an update keeps the address and node port it does not name, and cannot change the address")
    func kept() async throws {
        let api = try await Fixture.api()
        let created = try await api.create(.services, Fixture.service("a", type: "NodePort"))
        let port = try #require(created["spec"]["ports"][0]["nodePort"].int)
        #expect((30000...32767).contains(port))
        let updated = try await api.update(
            .services, setting(Fixture.service("a", type: "NodePort")) { $0["metadata"]["labels"] = ["x": "y"] })
        #expect(updated["spec"]["clusterIP"] == created["spec"]["clusterIP"])
        #expect(updated["spec"]["ports"][0]["nodePort"].int == port)
        let error = try await refusal {
            _ = try await api.update(
                .services,
                setting(updated) {
                    $0["spec"]["clusterIP"] = "10.1.255.1"; $0["spec"]["clusterIPs"] = .null
                })
        }
        #expect(error.message.contains("may not change once set"))
    }

    @Test("a node port that another Service has is refused")
    func nodePort() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.services, Fixture.service("a", type: "NodePort", nodePort: 30080))
        let error = try await refusal { _ = try await api.create(.services, Fixture.service("b", type: "NodePort", nodePort: 30080)) }
        #expect(
            error.message == #"Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"#)
        try await api.delete(.services, Fixture.key("a"))
        _ = try await api.create(.services, Fixture.service("b", type: "NodePort", nodePort: 30080))
    }

    @Test("of many that ask for one node port at once, one gets it", .timeLimit(.minutes(5)))
    func race() async throws {
        let api = try await Fixture.api()
        let successes = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<32 {
                group.addTask { (try? await api.create(.services, Fixture.service("s\(index)", type: "NodePort", nodePort: 30080))) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(successes == 1)
    }
}

@Suite("The API server: deletion")
struct APIDeletion {
    @Test("a pod without a node is gone at once")
    func unassigned() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.pods, Fixture.pod("a"))
        try await api.delete(.pods, Fixture.key("a"))
        let error = try await refusal { _ = try await api.get(.pods, Fixture.key("a")) }
        #expect(error.message == #"pods "a" not found"#)
    }

    @Test("a pod on a node is marked and waits for its kubelet")
    func assigned() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        try await api.delete(.pods, Fixture.key("a"))
        let pod = try await api.get(.pods, Fixture.key("a"))
        #expect(pod["metadata"]["deletionTimestamp"].string == Timestamp(seconds: Fixture.time.seconds + 30).description)
        #expect(pod["metadata"]["deletionGracePeriodSeconds"].int == 30)
        try await api.delete(.pods, Fixture.key("a"), gracePeriod: 5, uid: nil)
        let sooner = try await api.get(.pods, Fixture.key("a"))
        #expect(sooner["metadata"]["deletionGracePeriodSeconds"].int == 5)
        try await api.delete(.pods, Fixture.key("a"), gracePeriod: 60, uid: nil)
        let notLater = try await api.get(.pods, Fixture.key("a"))
        #expect(notLater["metadata"]["deletionGracePeriodSeconds"].int == 5)
        try await api.delete(.pods, Fixture.key("a"), gracePeriod: 0, uid: nil)
        #expect(try await api.find(Pod.self, Fixture.key("a")) == nil)
    }

    @Test("the pod's own grace period counts when the request has none")
    func ownGrace() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.pods, setting(Fixture.pod("a", node: "n1")) { $0["spec"]["terminationGracePeriodSeconds"] = 2 })
        try await api.delete(.pods, Fixture.key("a"))
        let pod = try await api.get(.pods, Fixture.key("a"))
        #expect(pod["metadata"]["deletionGracePeriodSeconds"].int == 2)
    }

    @Test("a pod that has finished is gone at once", arguments: ["Succeeded", "Failed"])
    func finished(_ phase: String) async throws {
        let api = try await Fixture.api()
        let pod = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        _ = try await api.updateStatus(.pods, setting(pod) { $0["status"]["phase"] = .string(phase) })
        try await api.delete(.pods, Fixture.key("a"))
        #expect(try await api.find(Pod.self, Fixture.key("a")) == nil)
    }

    @Test("a deletion that means another object of the same name is a conflict")
    func uid() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.configMaps, Fixture.configMap("a"))
        let error = try await refusal { try await api.delete(.configMaps, Fixture.key("a"), gracePeriod: nil, uid: "another") }
        #expect(error.code == 409)
        #expect(try await api.find(ConfigMap.self, Fixture.key("a")) != nil)
    }

    @Test("an object waits for its last finalizer", arguments: [Resource.configMaps, .pods])
    func finalizers(_ resource: Resource) async throws {
        let api = try await Fixture.api()
        let object = resource == .pods ? Fixture.pod("a") : Fixture.configMap("a")
        _ = try await api.create(resource, setting(object) { $0["metadata"]["finalizers"] = ["example.com/wait"] })
        try await api.delete(resource, Fixture.key("a"))
        let waiting = try await api.get(resource, Fixture.key("a"))
        #expect(!waiting["metadata"]["deletionTimestamp"].isNull)
        _ = try await api.patch(resource, Fixture.key("a"), ["metadata": ["finalizers": []]])
        let error = try await refusal { _ = try await api.get(resource, Fixture.key("a")) }
        #expect(error.code == 404)
    }

    @Test("the namespaces a cluster stands on cannot be deleted", arguments: ["default", "kube-system"])
    func immortal(_ name: String) async throws {
        let api = try await Fixture.api()
        if name != "default" { _ = try await api.create(.namespaces, Fixture.namespace(name)) }
        let error = try await refusal { try await api.delete(.namespaces, ObjectKey("", name)) }
        #expect(error.code == 403)
        #expect(error.message == #"namespaces "\#(name)" is forbidden: this namespace may not be deleted"#)
    }
}

@Suite("The API server: writers at the same time")
struct APIConcurrency {
    @Test("Services that are made at once get addresses and ports of their own")
    func services() async throws {
        let api = try await Fixture.api()
        let made = try await withThrowingTaskGroup(of: JSON.self) { group in
            for number in 0..<80 {
                group.addTask {
                    try await api.create(
                        .services,
                        [
                            "metadata": ["name": .string("s\(number)")],
                            "spec": ["type": "NodePort", "selector": ["a": "b"], "ports": [["port": 80]]],
                        ])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(made.compactMap { $0["spec"]["clusterIP"].string }).count == 80)
        #expect(Set(made.compactMap { $0["spec"]["ports"][0]["nodePort"].int }).count == 80)
    }

    @Test("patches that meet all take effect; one that names a version that is gone does not")
    func patches() async throws {
        let api = try await Fixture.api()
        let first = try await api.create(.configMaps, ["metadata": ["name": "c"], "data": ["a": "1"]])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask { _ = try await api.patch(.configMaps, Fixture.key("c"), ["data": ["k\(number)": "v"]]) }
            }
            try await group.waitForAll()
        }
        #expect(try await api.get(.configMaps, Fixture.key("c"))["data"].object?.count == 51)
        let error = try await refusal {
            _ = try await api.patch(
                .configMaps, Fixture.key("c"), ["metadata": ["resourceVersion": first["metadata"]["resourceVersion"]], "data": ["z": "1"]])
        }
        #expect(error.reason == .conflict)
    }
}

@Suite("The API server: NetworkPolicies that Kubernetes refuses")
struct APIPolicyValidation {
    private static func peer(_ peer: JSON) -> JSON { ["ingress": [["from": [peer]]]] }
    private static func ports(_ ports: JSON) -> JSON { ["egress": [["ports": [ports]]]] }

    /// (spec beside the podSelector, field, message)
    static let refused: [(JSON, String, String)] = [
        (
            peer(["ipBlock": ["cidr": "10.0.0.0/33"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ),
        (peer(["ipBlock": ["cidr": "10.0.0.0"]]), "spec.ingress[0].from[0].ipBlock.cidr", "must be a valid CIDR value"),
        (
            peer(["ipBlock": ["cidr": "10.0.0.1/8"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must not have bits set beyond the prefix length"
        ),
        (
            peer(["ipBlock": ["cidr": "2001:db8::1/64"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must not have bits set beyond the prefix length"
        ),
        (
            peer(["ipBlock": ["cidr": "010.0.0.0/8"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must not have leading 0s in IP or prefix length"
        ),
        (
            peer(["ipBlock": ["cidr": "10.0.0.0/08"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must not have leading 0s in IP or prefix length"
        ),
        (
            peer(["ipBlock": ["cidr": "::ffff:10.0.0.0/104"]]), "spec.ingress[0].from[0].ipBlock.cidr",
            "must not have an IPv4-mapped IPv6 address"
        ),
        (
            peer(["ipBlock": ["cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]]]), "spec.ingress[0].from[0].ipBlock.except[0]",
            "must be a strict subset of `cidr`"
        ),
        (
            peer(["ipBlock": ["cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]]]), "spec.ingress[0].from[0].ipBlock.except[0]",
            "must be a strict subset of `cidr`"
        ),
        (
            peer(["ipBlock": ["cidr": "2001:db8::/32", "except": ["10.0.0.0/8"]]]), "spec.ingress[0].from[0].ipBlock.except[0]",
            "must be a strict subset of `cidr`"
        ),
        (
            peer(["ipBlock": ["cidr": "10.0.0.0/8"], "podSelector": .emptyObject]), "spec.ingress[0].from[0]",
            "may not specify both ipBlock and another peer"
        ),
        (peer(.emptyObject), "spec.ingress[0].from[0]", "must specify a peer"),
        (["policyTypes": ["Ingress", "Ingress", "Egress"]], "spec.policyTypes", "may not specify more than two policyTypes"),
        (ports(["port": 0]), "spec.egress[0].ports[0].port", "must be between 1 and 65535, inclusive"),
        (ports(["port": 65536]), "spec.egress[0].ports[0].port", "must be between 1 and 65535, inclusive"),
        (
            ports(["port": "Not_A_Port"]), "spec.egress[0].ports[0].port",
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        ),
        (ports(["port": "a-name-that-is-too-long"]), "spec.egress[0].ports[0].port", "must be no more than 15 characters"),
        (ports(["port": 80, "endPort": 79]), "spec.egress[0].ports[0].endPort", "must be greater than or equal to `port`"),
        (ports(["port": "http", "endPort": 90]), "spec.egress[0].ports[0].endPort", "may not be specified when `port` is non-numeric"),
        (ports(["endPort": 90]), "spec.egress[0].ports[0].endPort", "may not be specified when `port` is not specified"),
        (
            peer(["podSelector": ["matchExpressions": [["key": "a", "operator": "In"]]]]),
            "spec.ingress[0].from[0].podSelector.matchExpressions[0].values",
            "must be specified when `operator` is 'In' or 'NotIn'"
        ),
        (
            peer(["namespaceSelector": ["matchExpressions": [["key": "a", "operator": "Exists", "values": ["b"]]]]]),
            "spec.ingress[0].from[0].namespaceSelector.matchExpressions[0].values",
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        ),
        (
            peer(["podSelector": ["matchExpressions": [["key": "a", "operator": "Near", "values": ["b"]]]]]),
            "spec.ingress[0].from[0].podSelector.matchExpressions[0].operator", "not a valid selector operator"
        ),
        (
            peer(["podSelector": ["matchLabels": ["-a": "b"]]]), "spec.ingress[0].from[0].podSelector.matchLabels",
            "name part must consist of alphanumeric characters"
        ),
    ]

    @Test("each with its field's path and Kubernetes' own message", arguments: refused.indices)
    func messages(_ index: Int) async throws {
        let (rest, field, message) = Self.refused[index]
        let spec = rest.merging(["podSelector": .emptyObject])
        let error = try await refusal { _ = try await Fixture.api().create(.networkPolicies, Fixture.networkPolicy(spec)) }
        #expect(error.reason == .invalid && error.causes.map(\.field) == [field], "\(error)")
        #expect(error.causes.first?.message.contains(message) == true, "\(error)")
    }

    @Test("IPv6 blocks are accepted")
    func ipv6() async throws {
        let spec: JSON = [
            "podSelector": .emptyObject, "ingress": [["from": [["ipBlock": ["cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]]]]]],
        ]
        _ = try await Fixture.api().create(.networkPolicies, Fixture.networkPolicy(spec))
    }
}
