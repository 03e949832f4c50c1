import API
import Lab
import Model
import Store
import Testing

@Suite("versions of the API that later releases removed")
struct RemovedVersionTests {
    private let api: APIServer
    private let router: Router

    init() async throws { (api, router) = try await Self.cluster("v1.18") }

    private static func cluster(_ version: String) async throws -> (APIServer, Router) {
        var cluster = Cluster()
        cluster.kubernetesVersion = try #require(KubernetesVersion(version))
        let api = APIServer(store: try ObjectStore(), cluster: cluster, now: { Fixture.time })
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        return (api, Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time }))
    }

    private func send(
        _ method: String, _ path: String, _ body: JSON = .null, _ type: String = "application/json", on other: Router? = nil
    ) async -> (code: Int, body: JSON, warnings: [String]) {
        let request = HTTPRequest(
            method: method, target: "\(path)?fieldManager=t&fieldValidation=Strict", contentType: type,
            body: body.isNull ? [] : body.bytes())
        var answer = await (other ?? router).respond(request), warnings: [String] = []
        while case .with(let headers, let inner) = answer {
            warnings += headers.filter { $0.name == "Warning" }.map(\.value)
            answer = inner
        }
        guard case .json(let json, let code) = answer else { return (0, .null, warnings) }
        return (code, json, warnings)
    }

    private static let ingress: JSON = [
        "apiVersion": "networking.k8s.io/v1beta1", "kind": "Ingress", "metadata": ["name": "web"],
        "spec": [
            "backend": ["serviceName": "rest", "servicePort": "http"],
            "rules": [["host": "a.example", "http": ["paths": [["path": "/a", "backend": ["serviceName": "a", "servicePort": 80]]]]]],
        ],
    ]
    private let ingresses = "/apis/networking.k8s.io/v1beta1/namespaces/default/ingresses"

    @Test("an Ingress of v1beta1 is stored as v1 has it, and shown as it came")
    func convertsIngress() async throws {
        let made = await send("POST", ingresses, Self.ingress)
        #expect(made.code == 201, "\(made.body.text())")
        let stored = try await api.get(.ingresses, Fixture.key("web"))
        #expect(stored["spec"]["defaultBackend"] == ["service": ["name": "rest", "port": ["name": "http"]]])
        let path = stored["spec"]["rules"].items.first?["http"]["paths"].items.first ?? .null
        #expect(path["backend"] == ["service": ["name": "a", "port": ["number": 80]]])
        #expect(path["pathType"] == "ImplementationSpecific")
        let shown = await send("GET", "\(ingresses)/web")
        #expect(shown.body["apiVersion"] == "networking.k8s.io/v1beta1")
        #expect(shown.body["spec"]["backend"] == Self.ingress["spec"]["backend"])
    }

    @Test("a patch of v1beta1 is made to what v1beta1 shows", arguments: ["merge", "strategic-merge"])
    func patchesAsShown(type: String) async throws {
        _ = await send("POST", ingresses, Self.ingress)
        let patched = await send(
            "PATCH", "\(ingresses)/web", ["spec": ["backend": ["serviceName": "other", "servicePort": 81]]],
            "application/\(type)-patch+json")
        #expect(patched.code == 200, "\(patched.body.text())")
        let stored = try await api.get(.ingresses, Fixture.key("web"))
        #expect(stored["spec"]["defaultBackend"] == ["service": ["name": "other", "port": ["number": 81]]])
        #expect(stored["spec"]["rules"].items.count == 1)
    }

    @Test("an unknown field of the earlier version is refused in its own terms")
    func decodesAsEarlierVersion() async {
        var object = Self.ingress
        object["spec"]["defaultBackend"] = ["service": ["name": "a"]]
        let made = await send("POST", ingresses, object)
        #expect(made.code == 400)
        #expect(made.body["message"].string?.contains("unknown field \"spec.defaultBackend\"") == true, "\(made.body.text())")
    }

    private static let definition: JSON = [
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition", "metadata": ["name": "pools.example.com"],
        "spec": [
            "scope": "Cluster", "group": "example.com", "version": "v1", "names": ["kind": "Pool", "plural": "pools", "singular": "pool"],
            "additionalPrinterColumns": [["name": "CIDR", "type": "string", "JSONPath": ".spec.cidr"]],
        ],
    ]
    private let definitions = "/apis/apiextensions.k8s.io/v1beta1/customresourcedefinitions"

    @Test("a CustomResourceDefinition of v1beta1 without a schema defines a kind that keeps every field")
    func convertsDefinition() async throws {
        let made = await send("POST", definitions, Self.definition)
        #expect(made.code == 201, "\(made.body.text())")
        let stored = try await api.get(.customResourceDefinitions, ObjectKey("", "pools.example.com"))
        let version = stored["spec"]["versions"].items.first ?? .null
        #expect(version["name"] == "v1" && version["storage"] == true && version["served"] == true)
        #expect(version["additionalPrinterColumns"].items.first?["jsonPath"] == ".spec.cidr")
        let pool: JSON = [
            "apiVersion": "example.com/v1", "kind": "Pool", "metadata": ["name": "a"], "spec": ["cidr": "10.0.0.0/8", "x": 1],
        ]
        let object = await send("POST", "/apis/example.com/v1/pools", pool)
        #expect(object.code == 201 && object.body["spec"] == pool["spec"], "\(object.body.text())")
        let shown = await send("GET", "\(definitions)/pools.example.com").body["spec"]
        #expect(shown["version"] == "v1" && shown["additionalPrinterColumns"].items.first?["JSONPath"] == ".spec.cidr")
        #expect(shown["preserveUnknownFields"] == true)
    }

    @Test("a schema of v1beta1 holds, and drops nothing")
    func keepsSchema() async throws {
        var definition = Self.definition
        definition["spec"]["validation"] = [
            "openAPIV3Schema": ["type": "object", "properties": ["spec": ["type": "object", "properties": ["cidr": ["type": "string"]]]]]
        ]
        #expect(await send("POST", definitions, definition).code == 201)
        func pool(_ spec: JSON) -> JSON { ["apiVersion": "example.com/v1", "kind": "Pool", "metadata": ["name": "a"], "spec": spec] }
        #expect(await send("POST", "/apis/example.com/v1/pools", pool(["cidr": 8])).code >= 400)
        let made = await send("POST", "/apis/example.com/v1/pools", pool(["cidr": "8", "x": 1]))
        #expect(made.body["spec"]["x"] == 1, "\(made.body.text())")
        let shown = await send("GET", "\(definitions)/pools.example.com").body["spec"]["validation"]
        #expect(shown == definition["spec"]["validation"], "\(shown.text())")
    }

    @Test("a Deployment of extensions/v1beta1 takes its selector from its pods, where 1.17 can still serve it")
    func convertsDeployment() async throws {
        let (api, router) = try await Self.cluster("v1.17.0")
        var object = Fixture.deployment("web")
        object["apiVersion"] = "extensions/v1beta1"
        object["spec"]["selector"] = .null
        let path = "/apis/extensions/v1beta1/namespaces/default/deployments"
        let made = await send("POST", path, object, on: router)
        #expect(made.code == 201, "\(made.body.text())")
        let stored = try await api.get(.deployments, Fixture.key("web"))
        #expect(stored["spec"]["selector"] == ["matchLabels": ["app": "web"]])
        #expect(stored["spec"]["strategy"]["rollingUpdate"] == ["maxUnavailable": 1, "maxSurge": 1])
        #expect(await send("GET", path).code == 404, "1.18 has it no more")
    }

    @Test(
        "a version warns of its end in the API server's words, from the release on that called it deprecated",
        arguments: [
            (
                "v1.18", "rbac.authorization.k8s.io/v1beta1", "clusterroles", "ClusterRole", 17, 22,
                "rbac.authorization.k8s.io/v1 ClusterRole"
            ),
            ("v1.18", "batch/v1beta1", "cronjobs", "CronJob", 0, 0, ""),
            ("v1.24", "batch/v1beta1", "cronjobs", "CronJob", 21, 25, "batch/v1 CronJob"),
            ("v1.24", "policy/v1beta1", "podsecuritypolicies", "PodSecurityPolicy", 21, 25, ""),
        ])
    func warns(version: String, apiVersion: String, plural: String, kind: String, since: Int, until: Int, use: String) async throws {
        let (_, router) = try await Self.cluster(version)
        let answer = await send("GET", "/apis/\(apiVersion)/\(plural)", on: router)
        #expect(answer.code == 200)
        let rest = use.isEmpty ? "" : "; use \(use)"
        let words = "299 - \"\(apiVersion) \(kind) is deprecated in v1.\(since)+, unavailable in v1.\(until)+\(rest)\""
        #expect(answer.warnings == (since == 0 ? [] : [words]))
    }

    @Test("each version names itself in what it shows, one that is kept under another name, too")
    func namesItself() async {
        let event: JSON = [
            "apiVersion": "v1", "kind": "Event", "metadata": ["name": "e", "namespace": "default"],
            "involvedObject": ["kind": "Pod", "name": "a", "namespace": "default"], "message": "m",
        ]
        #expect(await send("POST", "/api/v1/namespaces/default/events", event).code == 201)
        let shown = await send("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e").body
        #expect(shown["apiVersion"] == "events.k8s.io/v1" && shown["note"] == "m", "\(shown.text())")
    }

    @Test("a PodSecurityPolicy is kept, and its writer hears that no pod is held to it")
    func keepsPodSecurityPolicy() async {
        let rule: JSON = ["rule": "RunAsAny"]
        let object: JSON = [
            "apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": ["name": "p"],
            "spec": ["seLinux": rule, "runAsUser": rule, "fsGroup": rule, "supplementalGroups": rule, "volumes": ["*"]],
        ]
        let made = await send("POST", "/apis/policy/v1beta1/podsecuritypolicies", object)
        #expect(made.code == 201 && made.body["spec"]["allowPrivilegeEscalation"] == true, "\(made.body.text())")
        #expect(made.warnings.contains { $0.contains("holds no pod to them") })
        var bad = object
        bad["metadata"]["name"] = "q"
        bad["spec"]["fsGroup"] = ["rule": "Never"]
        #expect(await send("POST", "/apis/policy/v1beta1/podsecuritypolicies", bad).code == 422)
    }

    @Test("the current release has none of them, and says which has")
    func refusesUnderCurrent() async throws {
        let (api, router) = try await Self.cluster("v1.36")
        let answer = await send("GET", ingresses, on: router)
        #expect(answer.code == 404)
        #expect(answer.body["message"].string?.contains("kubernetesVersion: v1.21") == true, "\(answer.body.text())")
        let manifest = try Manifest.read("apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a}\n", file: "a.yaml")[0]
        do {
            _ = try await Applier(client: api, defaultNamespace: "default").apply(manifest)
            Issue.record("applied")
        } catch {
            let words = "\(error)"
            #expect(words.contains("a.yaml:2: no matches for kind \"Deployment\" in version \"apps/v1beta1\""), "\(words)")
            #expect(words.contains("kubernetesVersion: v1.17"), "\(words)")
        }
    }

    @Test("the Cluster document takes releases from 1.16 to the current one", arguments: ["v1.18.0", "1.18", "v1.16", "v1.36"])
    func reads(text: String) throws {
        let document = "apiVersion: minik.dev/v1\nkind: Cluster\nspec: {kubernetesVersion: \"\(text)\"}\n"
        let cluster = try Cluster(Manifest.read(document, file: "a.yaml")[0])
        #expect(cluster.kubernetesVersion == KubernetesVersion(text))
        let again = try Cluster(Manifest.read(cluster.json.text(), file: "b.yaml")[0])
        #expect(again.kubernetesVersion == cluster.kubernetesVersion)
    }

    @Test("other releases are refused", arguments: ["v1.15", "v1.37", "v2.0", "foo", "1", "v1.18.0.1", "v1.-1"])
    func refuses(text: String) {
        let document = "apiVersion: minik.dev/v1\nkind: Cluster\nspec: {kubernetesVersion: \"\(text)\"}\n"
        #expect(throws: ManifestError.self) { try Cluster(Manifest.read(document, file: "a.yaml")[0]) }
    }
}
