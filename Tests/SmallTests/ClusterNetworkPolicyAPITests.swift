import API
import Controllers
import Model
import Testing

@Suite("ClusterNetworkPolicy in the API: upstream's limits, versions and definition")
struct ClusterNetworkPolicyAPITests {
    private struct WrongAnswer: Error {}

    private static func ask(
        _ api: APIServer, _ method: String, _ target: String, contentType: String = "application/json", _ body: JSON? = nil
    ) async throws
        -> (body: JSON, code: Int)
    {
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        switch await router.respond(HTTPRequest(method: method, target: target, contentType: contentType, body: body?.bytes() ?? [])) {
        case .json(let json, let code): return (json, code)
        case .with(_, .json(let json, let code)): return (json, code)
        default: throw WrongAnswer()
        }
    }

    /// Stands for a field that is left out.
    private static let absent: JSON = "-"
    private static let everyone: JSON = ["namespaces": .emptyObject]
    private static let path = "/apis/policy.networking.k8s.io/v1beta1/clusternetworkpolicies"
    private static let older = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"

    private static func policy(_ spec: JSON, name: String = "p", version: String = "v1beta1") -> JSON {
        var whole: JSON = ["tier": "Admin", "priority": 1, "subject": everyone]
        for (field, value) in spec.object ?? JSONObject() { whole[field] = value == absent ? .null : value }
        return [
            "apiVersion": .string("policy.networking.k8s.io/\(version)"), "kind": "ClusterNetworkPolicy",
            "metadata": ["name": .string(name)], "spec": whole,
        ]
    }

    /// A policy with one egress rule: a good one, but for `change`.
    private static func egress(_ change: JSON) -> JSON {
        var rule: JSON = ["action": "Deny", "to": [everyone]]
        for (field, value) in change.object ?? JSONObject() { rule[field] = value == absent ? .null : value }
        return policy(["egress": [rule]])
    }

    /// What an object breaks, and the words of the refusal.
    private static let refused: [(JSON, String)] = [
        (
            policy(["ingress": .array(Array(repeating: ["action": "Deny", "from": [everyone]], count: 26))]),
            "spec.ingress: Too many: 26: must have at most 25 items"
        ),
        (
            policy(["egress": .array(Array(repeating: ["action": "Deny", "to": [everyone]], count: 26))]),
            "spec.egress: Too many: 26: must have at most 25 items"
        ),
        (egress(["to": .array(Array(repeating: everyone, count: 26))]), "spec.egress[0].to: Too many: 26: must have at most 25 items"),
        (egress(["to": []]), "spec.egress[0].to in body should have at least 1 items"),
        (egress(["to": absent]), "spec.egress[0].to: Required value"),
        (egress(["protocols": []]), "spec.egress[0].protocols in body should have at least 1 items"),
        (
            egress(["protocols": .array(Array(repeating: ["tcp": ["destinationPort": ["number": 80]]], count: 26))]),
            "spec.egress[0].protocols: Too many: 26: must have at most 25 items"
        ),
        (egress(["protocols": [["tcp": .emptyObject]]]), "spec.egress[0].protocols[0].tcp in body should have at least 1 properties"),
        (egress(["protocols": [.emptyObject]]), "spec.egress[0].protocols[0] in body should have at least 1 properties"),
        (
            egress(["protocols": [["tcp": ["destinationPort": ["number": 80]], "destinationNamedPort": "web"]]]),
            "spec.egress[0].protocols[0]: Too many: 2: must have at most 1 items"
        ),
        (
            egress(["protocols": [["tcp": ["destinationPort": ["number": 80, "range": ["start": 1, "end": 2]]]]]]),
            "spec.egress[0].protocols[0].tcp.destinationPort: Too many: 2: must have at most 1 items"
        ),
        (
            egress(["protocols": [["udp": ["destinationPort": .emptyObject]]]]),
            "udp.destinationPort in body should have at least 1 properties"
        ),
        (
            egress(["protocols": [["udp": ["destinationPort": ["number": 65536]]]]]),
            "udp.destinationPort.number in body should be less than or equal to 65535"
        ),
        (egress(["protocols": [["sctp": ["destinationPort": ["range": ["start": 1]]]]]]), "sctp.destinationPort.range.end: Required value"),
        (
            egress(["protocols": [["sctp": ["destinationPort": ["range": ["start": 2, "end": 2]]]]]]),
            "Start port must be less than End port"
        ),
        (egress(["to": [["networks": []]]]), "spec.egress[0].to[0].networks in body should have at least 1 items"),
        (
            egress(["to": [["networks": ["10.0.0.0/8", "10.0.0.0/8"]]]]),
            "spec.egress[0].to[0].networks[1]: Duplicate value: \"10.0.0.0/8\""
        ),
        (
            egress(["to": [["networks": .array((0..<26).map { .string("10.\($0).0.0/16") })]]]),
            "networks: Too many: 26: must have at most 25 items"
        ),
        (egress(["to": [["networks": ["10.0.0.1/33"]]]]), "Invalid CIDR format provided"),
        (egress(["to": [["domainNames": ["kubernetes.io"]]]]), "minik does not follow domain names"),
        (
            egress(["to": [["namespaces": .emptyObject, "nodes": .emptyObject]]]),
            "spec.egress[0].to[0]: Too many: 2: must have at most 1 items"
        ),
        (egress(["to": [["pods": ["namespaceSelector": .emptyObject]]]]), "spec.egress[0].to[0].pods.podSelector: Required value"),
        (
            egress(["to": [["nodes": .emptyObject]], "protocols": [["destinationNamedPort": "web"]]]),
            "networks/nodes/domainNames peer cannot be set with namedPorts"
        ),
        (egress(["name": .string(String(repeating: "x", count: 101))]), "spec.egress[0].name: Too long"),
        (egress(["action": "Allow"]), "spec.egress[0].action: Unsupported value: \"Allow\""),
        (policy(["tier": "Middle"]), "spec.tier: Unsupported value: \"Middle\""),
        (policy(["tier": absent]), "spec.tier: Required value"),
        (policy(["priority": 1001]), "spec.priority in body should be less than or equal to 1000"),
        (policy(["priority": -1]), "spec.priority in body should be greater than or equal to 0"),
        (policy(["subject": .emptyObject]), "spec.subject in body should have at least 1 properties"),
        (policy(["subject": ["pods": .emptyObject]]), "spec.subject.pods.podSelector: Required value"),
    ]

    @Test("what upstream's definition does not allow is refused, in both versions", arguments: refused.indices)
    func limits(_ index: Int) async throws {
        let api = try await Fixture.api()
        let (object, words) = Self.refused[index]
        let answer = try await Self.ask(api, "POST", Self.path, object)
        #expect(
            answer.code == 422 && answer.body["message"].string?.contains(words) == true,
            "\(answer.code): \(answer.body["message"].string ?? "")")
        var old = object
        old["apiVersion"] = "policy.networking.k8s.io/v1alpha2"
        #expect(try await Self.ask(api, "POST", Self.older, old).code == 422)
    }

    @Test("what it allows is taken: 25 of each, a selector left out, IPv6")
    func taken() async throws {
        let api = try await Fixture.api()
        let protocols: JSON = .array((1...25).map { ["tcp": ["destinationPort": ["range": ["start": .int($0), "end": .int($0 + 1)]]]] })
        let networks: JSON = .array((0..<24).map { .string("10.\($0).0.1/16") } + ["fd00::/8"])
        let rule: JSON = [
            "action": "Deny", "name": .string(String(repeating: "x", count: 100)),
            "to": .array([["networks": networks]] + Array(repeating: ["pods": ["podSelector": .emptyObject]], count: 24)),
            "protocols": protocols,
        ]
        let answer = try await Self.ask(api, "POST", Self.path, Self.policy(["egress": .array(Array(repeating: rule, count: 25))]))
        #expect(answer.code == 201, "\(answer.body["message"].string ?? "")")
    }

    @Test("both versions are one object, whichever it was written in")
    func versions() async throws {
        let api = try await Fixture.api()
        #expect(
            try await Self.ask(api, "POST", Self.path, Self.policy(.emptyObject, name: "new")).body["apiVersion"].string
                == "policy.networking.k8s.io/v1beta1")
        #expect(try await Self.ask(api, "POST", Self.older, Self.policy(.emptyObject, name: "old", version: "v1alpha2")).code == 201)
        for (path, version) in [(Self.path, "v1beta1"), (Self.older, "v1alpha2")] {
            let list = try await Self.ask(api, "GET", path).body
            #expect(list["items"].items.map(\.objectName) == ["new", "old"])
            #expect(list["items"].items.allSatisfy { $0["apiVersion"].string == "policy.networking.k8s.io/\(version)" })
        }
        #expect(try await api.list(ClusterNetworkPolicy.self).map(\.name) == ["new", "old"], "what the nodes follow")
        let group = try await Self.ask(api, "GET", "/apis/policy.networking.k8s.io").body
        #expect(group["preferredVersion"]["version"].string == "v1beta1" && group["versions"].items.count == 2)

        // Changes come in either version's name, too.
        let patch: JSON = ["apiVersion": "policy.networking.k8s.io/v1beta1", "spec": ["priority": 7]]
        let patched = try await Self.ask(api, "PATCH", "\(Self.path)/old", contentType: "application/merge-patch+json", patch)
        #expect(patched.code == 200 && patched.body["spec"]["priority"].int == 7, "\(patched)")
        let applied = Self.policy(["priority": 8], name: "new")
        let answer = try await Self.ask(
            api, "PATCH", "\(Self.path)/new?fieldManager=me&force=true", contentType: "application/apply-patch+yaml", applied)
        #expect(answer.code == 200 && answer.body["spec"]["priority"].int == 8, "\(answer)")
        #expect(answer.body["apiVersion"].string == "policy.networking.k8s.io/v1beta1")
    }

    private static let definition: JSON = [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": [
            "name": "clusternetworkpolicies.policy.networking.k8s.io",
            "annotations": ["api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/network-policy-api/pull/30"],
        ],
        "spec": [
            "group": "policy.networking.k8s.io", "scope": "Cluster",
            "names": [
                "kind": "ClusterNetworkPolicy", "plural": "clusternetworkpolicies", "singular": "clusternetworkpolicy",
                "shortNames": ["cnp"],
            ],
            "versions": [
                [
                    "name": "v1alpha2", "served": true, "storage": true,
                    "schema": ["openAPIV3Schema": ["type": "object", "x-kubernetes-preserve-unknown-fields": true]],
                ]
            ],
        ],
    ]

    @Test("upstream's definition over the built-in kind is established, adds nothing, and takes no policy with it when it goes")
    func definition() async throws {
        let api = try await Fixture.api()
        #expect(try await Self.ask(api, "POST", Self.path, Self.policy(.emptyObject)).code == 201)
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            name = "clusternetworkpolicies.policy.networking.k8s.io"
        #expect(try await Self.ask(api, "POST", definitions, Self.definition).code == 201)
        let conditions = try await Self.ask(api, "GET", "\(definitions)/\(name)").body["status"]["conditions"].items
        #expect(conditions.contains { $0["type"].string == "Established" && $0["status"].string == "True" })
        let listed = try await Self.ask(api, "GET", "/apis/policy.networking.k8s.io/v1alpha2").body["resources"].items.filter {
            $0["name"].string == "clusternetworkpolicies"
        }
        #expect(listed.count == 1)
        #expect(
            try await Self.ask(api, "POST", Self.path, Self.policy(["priority": 1001], name: "q")).code == 422,
            "the built-in kind's limits hold")

        _ = try await Self.ask(api, "DELETE", "\(definitions)/\(name)")
        #expect(try await Self.ask(api, "GET", "\(definitions)/\(name)").code == 404, "it waits for nobody")
        #expect(try await Self.ask(api, "GET", Self.path).body["items"].items.map(\.objectName) == ["p"])
    }
}
