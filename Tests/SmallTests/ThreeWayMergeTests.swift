import API
import Model
import Testing

@Suite("kubectl apply: the three-way merge")
struct ThreeWayMergeTests {
    private func merge(_ resource: Resource, last: JSON, wanted: JSON, live: JSON) throws -> JSON {
        let kind = try #require(Registry.kind(of: resource))
        return ThreeWayMerge.merge(last: last, wanted: wanted, live: live, kind.schema)
    }

    private func deployment(_ containers: JSON, replicas: Int? = nil) -> JSON {
        ["spec": ["replicas": JSON(replicas), "template": ["spec": ["containers": containers]]]]
    }

    private func containers(_ object: JSON) -> JSON { object["spec"]["template"]["spec"]["containers"] }
    private func named(_ list: JSON, _ name: String) -> JSON { list.items.first { $0["name"].string == name } ?? .null }

    @Test("the key of the annotation is kubectl's")
    func annotation() { #expect(ThreeWayMerge.lastApplied == "kubectl.kubernetes.io/last-applied-configuration") }

    @Test("what the user writes stands, whatever was live")
    func wanted() throws {
        let merged = try merge(
            .configMaps, last: ["data": ["a": "1"]], wanted: ["data": ["a": "2", "b": "3"]], live: ["data": ["a": "changed by hand"]])
        #expect(merged["data"] == json(["a": "2", "b": "3"]))
    }

    @Test("what the user wrote last time and no longer writes goes")
    func removed() throws {
        let merged = try merge(
            .configMaps, last: ["data": ["a": "1", "b": "2"], "immutable": false], wanted: ["data": ["a": "1"]],
            live: ["data": ["a": "1", "b": "2"], "immutable": false])
        #expect(merged == json(["data": ["a": "1"]]))
    }

    @Test("what others wrote stays")
    func others() throws {
        let merged = try merge(
            .deployments, last: deployment([["name": "main", "image": "httpd"]]), wanted: deployment([["name": "main", "image": "httpd"]]),
            live: [
                "metadata": ["annotations": ["deployment.kubernetes.io/revision": "3"]],
                "spec": ["replicas": 5, "template": ["spec": ["containers": [["name": "main", "image": "httpd"]]]]],
                "status": ["replicas": 5],
            ])
        #expect(merged["spec"]["replicas"].int == 5)
        #expect(merged["metadata"]["annotations"]["deployment.kubernetes.io/revision"].string == "3")
        #expect(merged["status"]["replicas"].int == 5)
    }

    @Test("a field the user never wrote is not the user's to remove")
    func neverWritten() throws {
        let merged = try merge(.deployments, last: deployment([], replicas: nil), wanted: deployment([]), live: deployment([], replicas: 7))
        #expect(merged["spec"]["replicas"].int == 7)
    }

    @Test("labels are merged one by one")
    func labels() throws {
        let merged = try merge(
            .pods, last: ["metadata": ["labels": ["app": "a", "tier": "front"]]], wanted: ["metadata": ["labels": ["app": "b"]]],
            live: ["metadata": ["labels": ["app": "a", "tier": "front", "topology": "z1"]]])
        #expect(merged["metadata"]["labels"] == json(["app": "b", "topology": "z1"]))
    }

    @Test("containers are merged by name: defaults of a container stay, the order of the user is kept")
    func containersByName() throws {
        let merged = try merge(
            .deployments, last: deployment([["name": "main", "image": "httpd:2.4"]]),
            wanted: deployment([["name": "side", "image": "busybox"], ["name": "main", "image": "httpd:2.5"]]),
            live: deployment([["name": "main", "image": "httpd:2.4", "imagePullPolicy": "IfNotPresent"]]))
        #expect(containers(merged).items.map { $0["name"].string } == ["side", "main"])
        #expect(named(containers(merged), "main") == json(["name": "main", "image": "httpd:2.5", "imagePullPolicy": "IfNotPresent"]))
    }

    @Test("a container the user no longer writes goes, one that somebody injected stays")
    func containersOfOthers() throws {
        let merged = try merge(
            .deployments, last: deployment([["name": "main", "image": "a"], ["name": "old", "image": "b"]]),
            wanted: deployment([["name": "main", "image": "a"]]),
            live: deployment([["name": "main", "image": "a"], ["name": "old", "image": "b"], ["name": "injected", "image": "c"]]))
        #expect(Set(containers(merged).items.compactMap { $0["name"].string }) == ["main", "injected"])
    }

    @Test("Service ports are merged by port: a node port that was allocated stays")
    func ports() throws {
        let merged = try merge(
            .services, last: ["spec": ["ports": [["port": 80]]]], wanted: ["spec": ["ports": [["port": 80, "targetPort": 8080]]]],
            live: ["spec": ["clusterIP": "10.1.3.4", "ports": [["port": 80, "targetPort": 80, "nodePort": 30123]]]])
        #expect(merged["spec"]["ports"] == json([["port": 80, "targetPort": 8080, "nodePort": 30123]]))
        #expect(merged["spec"]["clusterIP"].string == "10.1.3.4")
    }

    @Test("two ports of one number and different protocols are two ports")
    func protocols() throws {
        let ports: JSON = [["name": "udp", "port": 53, "protocol": "UDP"], ["name": "tcp", "port": 53, "protocol": "TCP"]]
        let merged = try merge(
            .services, last: ["spec": ["ports": ports]], wanted: ["spec": ["ports": ports]],
            live: [
                "spec": [
                    "ports": [
                        ["name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30001],
                        ["name": "tcp", "port": 53, "protocol": "TCP", "nodePort": 30002],
                    ]
                ]
            ])
        #expect(named(merged["spec"]["ports"], "udp")["nodePort"].int == 30001)
        #expect(named(merged["spec"]["ports"], "tcp")["nodePort"].int == 30002)
    }

    @Test("a list without a merge key is replaced whole")
    func plainLists() throws {
        let merged = try merge(
            .deployments, last: deployment([["name": "main", "args": ["-a"]]]), wanted: deployment([["name": "main", "args": ["-c"]]]),
            live: deployment([["name": "main", "args": ["-a", "-b"]]]))
        #expect(named(containers(merged), "main")["args"] == json(["-c"]))
    }

    @Test("applying the same again changes nothing")
    func again() throws {
        let wanted = deployment([["name": "main", "image": "httpd"]], replicas: 2)
        let live: JSON = [
            "spec": [
                "replicas": 2, "revisionHistoryLimit": 10,
                "template": [
                    "spec": ["restartPolicy": "Always", "containers": [["name": "main", "image": "httpd", "imagePullPolicy": "Always"]]]
                ],
            ]
        ]
        #expect(try merge(.deployments, last: wanted, wanted: wanted, live: live) == live)
    }
}
