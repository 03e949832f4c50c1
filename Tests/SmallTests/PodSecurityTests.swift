import API
import Model
import Testing

private func setting(_ object: JSON, _ change: (inout JSON) -> Void) -> JSON {
    var object = object
    change(&object)
    return object
}

@Suite("Pod Security Standards")
struct PodSecurityTests {
    private static let plain = pod([["name": "c", "image": "b"]])
    private static let hardened: JSON = [
        "name": "c", "image": "b", "securityContext": ["allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]]],
    ]

    private static func pod(_ containers: [JSON], _ more: [String: JSON] = [:]) -> JSON {
        var spec: JSON = ["containers": .array(containers)]
        for (field, value) in more { spec[field] = value }
        return ["metadata": ["name": "p"], "spec": spec]
    }

    private func found(_ pod: JSON, _ level: PodSecurityStandard.Level, minor: Int? = nil) -> [String] {
        PodSecurityViolation.all(in: pod, against: PodSecurityStandard(level, minor: minor)).map(\.description)
    }

    @Test("a pod that says nothing of its security is baseline, and what restricted asks of it is listed in the checks' order")
    func plain() {
        #expect(found(Self.plain, .privileged) == [] && found(Self.plain, .baseline) == [])
        #expect(
            found(Self.plain, .restricted) == [
                "allowPrivilegeEscalation != false (container \"c\" must set securityContext.allowPrivilegeEscalation=false)",
                "unrestricted capabilities (container \"c\" must set securityContext.capabilities.drop=[\"ALL\"])",
                "runAsNonRoot != true (pod or container \"c\" must set securityContext.runAsNonRoot=true)",
                "seccompProfile (pod or container \"c\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
            ])
        let context: JSON = ["runAsNonRoot": true, "seccompProfile": ["type": "RuntimeDefault"]]
        #expect(found(Self.pod([Self.hardened], ["securityContext": context]), .restricted) == [])
    }

    @Test(
        "baseline forbids what reaches out of the pod",
        arguments: [
            (["hostNetwork": true, "hostPID": true], "host namespaces (hostNetwork=true, hostPID=true)"),
            (["volumes": [["name": "v", "hostPath": ["path": "/"]]]], "hostPath volumes (volume \"v\")"),
            (["securityContext": ["sysctls": [["name": "kernel.msgmax", "value": "1"]]]], "forbidden sysctls (kernel.msgmax)"),
            (
                ["securityContext": ["seLinuxOptions": ["type": "spc_t", "user": "u"]]],
                "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set)"
            ),
            (
                ["securityContext": ["appArmorProfile": ["type": "Unconfined"]]],
                "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")"
            ),
            (
                ["initContainers": [["name": "i", "securityContext": ["privileged": true]]]],
                "privileged (container \"i\" must not set securityContext.privileged=true)"
            ),
            (
                ["initContainers": [["name": "i", "securityContext": ["capabilities": ["add": ["NET_ADMIN", "CHOWN"]]]]]],
                "non-default capabilities (container \"i\" must not include \"NET_ADMIN\" in securityContext.capabilities.add)"
            ),
            (
                ["initContainers": [["name": "i", "ports": [["containerPort": 80, "hostPort": 80]]]]],
                "hostPort (container \"i\" uses hostPort 80)"
            ),
        ] as [([String: JSON], String)])
    func baseline(_ more: [String: JSON], _ words: String) {
        #expect(found(Self.pod([["name": "c"]], more), .baseline) == [words])
    }

    @Test("a release's words hold for the pods of a namespace that names it")
    func versions() {
        let probe = Self.pod([["name": "c", "livenessProbe": ["httpGet": ["host": "1.2.3.4", "port": 80]]]])
        #expect(found(probe, .baseline, minor: 33) == [])
        #expect(found(probe, .baseline).first == "probe or lifecycle host (container \"c\" uses probe or lifecycle host \"1.2.3.4\")")
        let sysctl = Self.pod([["name": "c"]], ["securityContext": ["sysctls": [["name": "net.ipv4.tcp_rmem", "value": "1"]]]])
        #expect(found(sysctl, .baseline, minor: 31).count == 1 && found(sysctl, .baseline, minor: 32) == [])
    }

    @Test("labels say what is enforced and what is warned of; what they do not say right is refused, and enforced strictly")
    func labels() {
        let prefix = "pod-security.kubernetes.io/"
        let plain = NamespacePodSecurity(labels: [:])
        #expect(plain.enforce == PodSecurityStandard(.privileged) && plain.warn == plain.enforce && plain.causes.isEmpty)
        let both = NamespacePodSecurity(labels: [
            "\(prefix)enforce": "baseline", "\(prefix)enforce-version": "v1.30", "\(prefix)warn": "restricted",
        ])
        #expect("\(both.enforce) \(both.warn)" == "baseline:v1.30 restricted:latest")
        let wrong = NamespacePodSecurity(labels: ["\(prefix)enforce": "bogus", "\(prefix)warn-version": "v1"])
        #expect(wrong.enforce.level == .restricted)
        #expect(
            wrong.causes.map { "\($0.field): \($0.message)" } == [
                "metadata.labels[\(prefix)enforce]: Invalid value: \"bogus\": must be one of privileged, baseline, restricted",
                "metadata.labels[\(prefix)warn-version]: Invalid value: \"v1\": must be \"latest\" or \"v1.x\"",
            ])
    }

    @Test("the server refuses pods, warns of templates and of pods that are there, and takes no label that says nothing")
    func server() async throws {
        let api = try await Fixture.api(), label = "pod-security.kubernetes.io/enforce"
        func write(_ resource: Resource, _ object: JSON) async throws -> Written {
            try await api.create(try await api.definition(resource), object, WriteOptions())
        }
        func refusal(_ resource: Resource, _ object: JSON) async throws -> StatusError {
            try #require(await #expect(throws: StatusError.self) { _ = try await write(resource, object) })
        }
        _ = try await write(.pods, setting(Fixture.pod("free")) { $0["spec"]["hostNetwork"] = true })
        let home = try await api.get(.namespaces, ObjectKey("", "default"))
        let relabelled = setting(home) { $0["metadata"]["labels"][label] = "baseline" }
        let update = try await api.update(try await api.definition(.namespaces), relabelled, subresource: nil, WriteOptions())
        #expect(
            update.warnings == [
                "existing pods in namespace \"default\" violate the new PodSecurity enforce level \"baseline:latest\"",
                "free: host namespaces",
            ])
        let pod = try await refusal(.pods, setting(Fixture.pod("p")) { $0["spec"]["hostPID"] = true })
        #expect(pod.code == 403 && pod.details["kind"] == "pods")
        #expect(pod.message == "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)")
        #expect(try await write(.pods, Fixture.pod("plain")).warnings.isEmpty)
        let deployment = try await write(
            .deployments, setting(Fixture.deployment("web")) { $0["spec"]["template"]["spec"]["hostIPC"] = true })
        #expect(deployment.warnings == ["would violate PodSecurity \"baseline:latest\": host namespaces (hostIPC=true)"])
        let wrong = try await refusal(.namespaces, ["metadata": ["name": "strict", "labels": [label: "bogus"]]])
        #expect(wrong.code == 422 && wrong.causes.map(\.field) == ["metadata.labels[\(label)]"])
    }
}
