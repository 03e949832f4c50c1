import Lab
import Model
import Proxy
import Testing

@Suite("Lab: the question of `minik why`, and its answer in words")
struct FlowQuestionTests {
    /// Two nodes; web (declares 80) and db in default, a pod that has no address yet, and a Service of each.
    private static func snapshot(_ policies: [JSON] = []) -> ClusterSnapshot {
        var cluster = Cluster()
        cluster.nodes = ["n1", "n2"].enumerated().map { index, name in
            Cluster.NodeSpec(
                name: name, isControlPlane: index == 0, address: cluster.nodeSubnet[128 + index],
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(index) << 8), 24), taints: .null, labels: [:])
        }
        func pod(_ name: String, _ node: String, _ ip: String?, ports: JSON = .null) -> Pod {
            Pod([
                "metadata": ["name": .string(name), "namespace": "default", "labels": ["app": .string(name)]],
                "spec": ["nodeName": .string(node), "containers": [["name": "c", "ports": ports]]],
                "status": ["phase": "Running", "podIP": JSON(ip)],
            ])
        }
        func service(_ name: String, _ address: String, ports: [Int]) -> Service {
            Service([
                "metadata": ["name": .string(name), "namespace": "default"],
                "spec": ["clusterIP": .string(address), "ports": .array(ports.map { ["port": .int($0), "protocol": "TCP"] })],
            ])
        }
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.namespaces = [Namespace(["metadata": ["name": "default"]])]
        snapshot.pods = [
            pod("web", "n1", "10.244.0.5", ports: [["containerPort": 80]]), pod("db", "n2", "10.244.1.6"), pod("late", "n2", nil),
        ]
        snapshot.services = [
            service("web", "10.96.0.7", ports: [80]), service("two", "10.96.0.8", ports: [80, 443]), service("bare", "None", ports: [80]),
        ]
        snapshot.services.append(
            Service([
                "metadata": ["name": "ext", "namespace": "default"], "spec": ["type": "ExternalName", "externalName": "example.org"],
            ]))
        snapshot.policies = policies.map(NetworkPolicy.init)
        return snapshot
    }

    private func ask(_ from: String, _ to: String, namespace: String = "default") throws -> FlowQuestion {
        try FlowQuestion(from: from, to: to, namespace: namespace, Self.snapshot())
    }

    @Test(
        "names, addresses and ports in the ways people write them",
        arguments: [
            ("db", "pod/web", "default/db (10.244.1.6, n2)", "default/web (10.244.0.5, n1)", "10.244.0.5", "TCP/80"),
            ("node/n1", "svc/web", "node n1", "Service default/web (10.96.0.7)", "10.96.0.7", "TCP/80"),
            ("10.244.1.6", "two:443", "default/db (10.244.1.6, n2)", "Service default/two (10.96.0.8)", "10.96.0.8", "TCP/443"),
            ("default/db", "10.244.0.5:53/udp", "default/db (10.244.1.6, n2)", "default/web (10.244.0.5, n1)", "10.244.0.5", "UDP/53"),
            ("db", "10.244.0.5:udp/53", "default/db (10.244.1.6, n2)", "default/web (10.244.0.5, n1)", "10.244.0.5", "UDP/53"),
            (
                "db", "host:80", "default/db (10.244.1.6, n2)", "the outside client (192.168.200.1)", "192.168.200.1", "TCP/80"
            ),
            ("203.0.113.9", "n2:icmp", "203.0.113.9, outside", "node n2 (192.168.200.129)", "192.168.200.129", "ICMP"),
        ])
    func understood(_ from: String, _ to: String, _ source: String, _ target: String, _ address: String, _ probe: String) throws {
        let question = try ask(from, to)
        #expect(question.sourceName == source && question.targetName == target)
        #expect(question.address.description == address && question.probe.description == probe)
    }

    @Test(
        "what is not understood is told with what would be",
        arguments: [
            ("nobody", "db:80", "there is no pod or node \"nobody\"", "NAMESPACE/NAME outside -n default"),
            ("db", "nobody:80", "there is no pod, Service or node \"nobody\"", "svc/NAME or gateway/NAME"),
            ("db", "web", "\"web\" is a pod and a Service", "say pod/web or svc/web"),
            ("db", "two", "which port of Service default/two (10.96.0.8)?", "one of two:80, two:443"),
            ("web", "db", "which port of default/db (10.244.1.6, n2)?", "such as db:80 or db:icmp"),
            ("web", "db:http", "\"http\" is no port", "80, 53/udp or icmp"),
            ("web", "late:80", "pod default/late has no address yet", "minik get pods"),
            ("web", "[fd00::1]:80", "is an IPv6 address", "docs/policy.md"),
            (
                "db", "ext:80", "Service default/ext has no address of its own: it is another name for example.org",
                "an address of example.org"
            ),
            ("db", "bare:80", "Service default/bare has no address of its own", "one of its pods"),
            ("db", "127.0.0.1:80", "is no machine's address", "the address of one machine"),
            ("db", "0.0.0.0:80", "is no machine's address", "node/NAME"),
            ("db", "255.255.255.255:80", "is no machine's address", "host"), ("224.0.0.1", "db:80", "is no machine's address", "host"),
            ("[::1]", "db:80", "is no machine's address", "host"),
        ])
    func refused(_ from: String, _ to: String, _ message: String, _ hint: String) throws {
        let error = try #require(throws: UserError.self) { _ = try ask(from, to) }
        #expect(error.message.contains(message) && error.hint?.contains(hint) == true, "\(error)")
    }

    @Test("the report says who stands in the way, for people and for machines")
    func report() throws {
        let snapshot = Self.snapshot([
            [
                "metadata": ["name": "only-friends", "namespace": "default"],
                "spec": [
                    "podSelector": ["matchLabels": ["app": "web"]], "policyTypes": ["Ingress"],
                    "ingress": [["from": [["podSelector": ["matchLabels": ["friend": "true"]]]]]],
                ],
            ]
        ])
        let question = try FlowQuestion(from: "db", to: "pod/web", namespace: "default", snapshot)
        let journeys = snapshot.walk().journeys(from: question.source, to: question.address, proto: 6, port: 80)
        let report = WhyReport(question: question, journeys: journeys, finding: nil, snapshot: snapshot)
        #expect(!report.isAllowed && report.isConsistent)
        let lines = report.text.split(separator: "\n").map(String.init)
        #expect(lines.first == "DENIED  default/db (10.244.1.6, n2) -> default/web (10.244.0.5, n1) TCP/80")
        #expect(lines.contains("    ingress: default/web is isolated by default/only-friends"), "\(report.text)")
        #expect(lines.contains { $0.contains("default/only-friends ingress[0] allows only from pods with friend=true") }, "\(report.text)")
        #expect(lines.contains { $0.hasPrefix("    computed: dropped on n1, ") }, "\(report.text)")
        let json = report.json
        #expect(json["verdict"] == "denied" && json["agrees"].isNull && json["paths"][0]["policies"].items.count == 2, "\(json.text())")

        // The kernel says otherwise.
        var finding = LiveTrace.Finding(sent: 1)
        finding.arrivedAt = ["10.244.0.5"]
        let disagreeing = WhyReport(question: question, journeys: journeys, finding: finding, snapshot: snapshot)
        #expect(!disagreeing.agrees && disagreeing.text.contains("THE KERNEL DISAGREES with what was computed: 1 packet sent"))
    }

    @Test("a matrix marks what was measured against what was computed, in every form")
    func matrix() throws {
        let snapshot = Self.snapshot()
        var matrix = ReachMatrix(snapshot, probes: [ReachMatrix.Probe(proto: 6, port: 80)]) { _ in true }
        let web = try #require(matrix.targets.firstIndex { $0.name == "default/web" })
        let db = try #require(matrix.sources.firstIndex { $0.name == "default/db" })
        let cell = try #require(matrix.cells.firstIndex { $0.from == db && $0.to == web })
        for index in matrix.cells.indices { matrix.cells[index].measured = index != cell }
        let report = MatrixReport(matrix: matrix)
        #expect(report.text(.text).contains("DIFFERENT: 1 flows are not what was computed:"), "\(report.text(.text))")
        #expect(report.text(.text).contains("default/db -> default/web TCP/80: computed allowed, measured denied"))
        let flows = try JSON(parsing: report.text(.json))["flows"].items
        #expect(flows.count == matrix.cells.count && flows.filter { $0["measured"] == false }.count == 1)
        #expect(report.text(.junit).contains("tests=\"\(matrix.cells.count)\" failures=\"1\""))
        #expect(report.text(.html).components(of: "class=\"different\"") == 1)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
