import Controllers
import Model
import Testing

@Suite("Scheduling: whom a pod wants near, and what a node has left")
struct SchedulingTests {
    private static let host = "kubernetes.io/hostname", zone = "topology.kubernetes.io/zone"

    private static func node(_ name: String, zone: String = "z", cpu: String = "2", pods: Int = 100) -> JSON {
        var node = Fixture.node(name)
        node["metadata"]["labels"] = [host: .string(name), Self.zone: .string(zone)]
        node["status"]["allocatable"] = ["cpu": .string(cpu), "memory": "1Gi", "pods": .string("\(pods)")]
        return node
    }

    private static let nodes = [node("a"), node("b"), node("c", zone: "y")]

    private static func pod(_ name: String, app: String = "web", on node: String? = nil, _ spec: JSON = .emptyObject) -> JSON {
        var pod = Fixture.pod(name, labels: ["app": app], node: node)
        for (field, value) in spec.object ?? JSONObject() { pod["spec"][field] = value }
        return pod
    }

    private static func term(_ app: String, _ key: String) -> JSON {
        ["topologyKey": .string(key), "labelSelector": ["matchLabels": ["app": .string(app)]]]
    }

    private static func required(_ kind: String, _ terms: JSON...) -> JSON {
        ["affinity": .object(JSONObject(uniqueKeys: [kind], values: [["requiredDuringSchedulingIgnoredDuringExecution": .array(terms)]]))]
    }

    private func place(
        _ pod: JSON, _ nodes: [JSON] = SchedulingTests.nodes, among pods: [JSON] = [], namespaces: [String: [String: String]] = [:]
    ) -> String {
        switch Scheduler.place(Pod(pod), nodes: nodes.map { Node($0) }, pods: pods.map { Pod($0) }, namespaces: namespaces) {
        case .success(let node): node.name
        case .failure(let reasons): "\(reasons)"
        }
    }

    @Test("pods that keep apart go to nodes of their own, and the last finds none")
    func apart() {
        let wish = Self.required("podAntiAffinity", Self.term("web", Self.host))
        let here = [Self.pod("1", on: "a"), Self.pod("2", on: "b")]
        #expect(place(Self.pod("3", wish), among: here) == "c")
        #expect(
            place(Self.pod("4", wish), among: here + [Self.pod("3", on: "c")])
                == "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.")
        #expect(place(Self.pod("3", app: "other", wish), among: here) == "c", "the pod's own labels do not matter")
    }

    @Test("a node that is not ready is for pods that bear it, such as a network's: else nobody would make it ready")
    func unready() {
        var node = Self.node("a")
        node["status"]["conditions"] = [["type": "Ready", "status": "False"]]
        let words = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
        #expect(place(Self.pod("1"), [node]) == words)
        #expect(place(Self.pod("1", ["tolerations": [["operator": "Exists", "effect": "NoSchedule"]]]), [node]) == "a")
        #expect(place(Self.pod("1", ["tolerations": [["operator": "Exists", "effect": "NoExecute"]]]), [node]) == words)
    }

    @Test("a pod that keeps others away does so after it has come")
    func symmetry() {
        let loner = Self.pod("loner", app: "db", on: "a", Self.required("podAntiAffinity", Self.term("web", Self.zone)))
        #expect(place(Self.pod("1"), among: [loner]) == "c", "both a and b are in its zone")
        #expect(
            place(Self.pod("1"), [Self.node("a"), Self.node("b")], among: [loner]).contains(
                "2 node(s) didn't satisfy existing pods anti-affinity rules"))
        #expect(place(Self.pod("1", app: "other"), among: [loner]) == "b")
    }

    @Test("a pod goes to the domain of whom it wants near; the first of a group may begin it")
    func together() {
        let wish = Self.required("podAffinity", Self.term("db", Self.zone))
        #expect(place(Self.pod("1", wish), among: [Self.pod("db", app: "db", on: "c")]) == "c")
        #expect(place(Self.pod("1", wish)) == "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.")
        #expect(place(Self.pod("1", app: "db", wish)) == "a", "it is whom it waits for")
        var unlabelled = Fixture.node("d")
        unlabelled["status"]["allocatable"] = .null
        #expect(
            place(Self.pod("1", app: "db", wish), [unlabelled]).contains("didn't match pod affinity rules"),
            "a node without the key is in no domain")
    }

    @Test("a term looks at the pod's own namespace unless it names others")
    func namespaces() {
        var stranger = Self.pod("db", app: "db", on: "c")
        stranger["metadata"]["namespace"] = "data"
        #expect(place(Self.pod("1", Self.required("podAffinity", Self.term("db", Self.host))), among: [stranger]).contains("pod affinity"))
        var named = Self.term("db", Self.host)
        named["namespaces"] = ["data"]
        #expect(place(Self.pod("1", Self.required("podAffinity", named)), among: [stranger]) == "c")
        var selected = Self.term("db", Self.host)
        selected["namespaceSelector"] = ["matchLabels": ["team": "x"]]
        let wish = Self.required("podAffinity", selected)
        #expect(place(Self.pod("1", wish), among: [stranger], namespaces: ["data": ["team": "x"], "default": [:]]) == "c")
        #expect(
            place(Self.pod("1", wish), among: [stranger], namespaces: ["data": ["team": "y"], "default": [:]]).contains("pod affinity"))
    }

    @Test("preferences decide among the nodes that would do")
    func preferences() {
        func wish(_ kind: String, _ app: String) -> JSON {
            let terms: JSON = [["weight": 10, "podAffinityTerm": Self.term(app, Self.host)]]
            return [
                "affinity": .object(JSONObject(uniqueKeys: [kind], values: [["preferredDuringSchedulingIgnoredDuringExecution": terms]]))
            ]
        }
        let here = [Self.pod("x", app: "db", on: "b"), Self.pod("y", app: "db", on: "b")]
        #expect(place(Self.pod("1", wish("podAffinity", "db")), among: here) == "b")
        #expect(place(Self.pod("1", wish("podAntiAffinity", "db")), [Self.node("b"), Self.node("c")], among: here) == "c")
        let node: JSON = [
            "affinity": [
                "nodeAffinity": [
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        [
                            "weight": 1,
                            "preference": ["matchExpressions": [["key": .string(Self.zone), "operator": "In", "values": ["y"]]]],
                        ]
                    ]
                ]
            ]
        ]
        #expect(place(Self.pod("1", node)) == "c")
    }

    @Test("a spread keeps the domains' counts close, over nodes the pod may go to")
    func spread() {
        func wish(_ key: String, skew: Int = 1, strict: Bool = true) -> JSON {
            [
                "topologySpreadConstraints": [
                    [
                        "topologyKey": .string(key), "maxSkew": .int(skew),
                        "whenUnsatisfiable": strict ? "DoNotSchedule" : "ScheduleAnyway",
                        "labelSelector": ["matchLabels": ["app": "web"]],
                    ]
                ]
            ]
        }
        let two = [Self.pod("1", on: "a"), Self.pod("2", on: "b")]
        #expect(place(Self.pod("3", wish(Self.zone)), among: two) == "c", "zone z has two, zone y none")
        #expect(place(Self.pod("3", wish(Self.zone, skew: 3)), [Self.node("a"), Self.node("c", zone: "y", cpu: "0")], among: two) != "")
        var bound = Self.pod("3", wish(Self.zone))
        bound["spec"]["nodeSelector"] = [Self.zone: "z"]
        #expect(place(bound, among: two) == "a", "a zone that the pod does not select does not count")
        #expect(place(Self.pod("3", wish(Self.zone, strict: false)), [Self.node("a")], among: two) == "a", "a wish keeps nobody waiting")
        let full = two + [Self.pod("3", on: "c"), Self.pod("4", on: "c")]
        #expect(place(Self.pod("5", wish(Self.host)), among: full) == "a")
        let unlabelled = place(Self.pod("5", wish("rack")))
        #expect(unlabelled.contains("3 node(s) didn't match pod topology spread constraints (missing required label)"), "\(unlabelled)")
    }

    @Test("a node takes no more than it has")
    func resources() {
        func asks(_ cpu: String, _ half: String = "requests") -> JSON {
            [
                "containers": [
                    ["name": "main", "image": "x", "resources": .object(JSONObject(uniqueKeys: [half], values: [["cpu": .string(cpu)]]))]
                ]
            ]
        }
        let busy = Self.pod("1", on: "a", asks("1500m"))
        #expect(place(Self.pod("2", asks("600m")), [Self.node("a")], among: [busy]) == "0/1 nodes are available: 1 Insufficient cpu.")
        #expect(place(Self.pod("2", asks("500m")), [Self.node("a")], among: [busy]) == "a")
        #expect(
            place(Self.pod("2", asks("600m", "limits")), [Self.node("a")], among: [busy]).contains("Insufficient cpu"),
            "a limit alone is a request")
        #expect(
            place(Self.pod("2"), [Self.node("a")], among: [busy, Self.pod("3", on: "a", asks("9"))]) == "a", "who asks for nothing fits")
        #expect(place(Self.pod("2"), [Self.node("a", pods: 1)], among: [busy]) == "0/1 nodes are available: 1 Too many pods.")
    }

    @Test("init containers take their turns, sidecars stay", arguments: [("requests", "1300m"), ("limits", "0")])
    func total(_ half: String, _ expected: String) {
        func container(_ cpu: String, sidecar: Bool = false) -> JSON {
            ["name": "c", "restartPolicy": sidecar ? "Always" : .null, "resources": ["requests": ["cpu": .string(cpu)]]]
        }
        let spec: JSON = [
            "initContainers": [container("900m"), container("100m", sidecar: true), container("1100m")],
            "containers": [container("500m"), container("200m")], "overhead": ["cpu": "100m"],
        ]
        #expect((PodResources.total(spec, half)["cpu"] ?? Quantity(0)) == Quantity(expected), "1100m beside 100m, and the overhead")
    }

    @Test(
        "a port of a node is one pod's",
        arguments: [("10.0.0.1", "10.0.0.2", true), ("10.0.0.1", "10.0.0.1", false), ("10.0.0.1", "", false), ("", "", false)])
    func hostPorts(_ mine: String, _ theirs: String, _ fits: Bool) {
        func wish(_ address: String, _ proto: String = "TCP") -> JSON {
            let port: JSON = ["containerPort": 80, "hostPort": 8080, "protocol": .string(proto), "hostIP": .string(address)]
            return ["containers": [["name": "main", "image": "x", "ports": [port]]]]
        }
        let placed = place(Self.pod("2", wish(mine)), [Self.node("a")], among: [Self.pod("1", on: "a", wish(theirs))])
        #expect(placed == (fits ? "a" : "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."))
        #expect(
            place(Self.pod("2", wish(mine, "UDP")), [Self.node("a")], among: [Self.pod("1", on: "a", wish(theirs))]) == "a",
            "UDP's ports are others")
    }
}
