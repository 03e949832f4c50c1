import API
import Lab
import Model
import Testing

@Suite("Lab: what users name and apply")
struct LabObjectTests {
    private func manifest(_ text: String) throws -> Manifest { try #require(try Manifest.read(text, file: "web.yaml").first) }

    private static let config = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: c}
        data: {a: "1", b: "2"}
        """

    // MARK: Files

    @Test("without a Cluster document the cluster is the tutorial's; two are one too many")
    func documents() throws {
        let (cluster, hasDocument, objects) = try LabFiles.split([try manifest(Self.config)])
        #expect(cluster.nodes.map(\.name) == ["k8s-master", "k8s-node1", "k8s-node2"] && !hasDocument && objects.count == 1)
        let text = "apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n"
        let both = try Manifest.read("\(text)---\n\(text)", file: "two.yaml")
        let error = try #require(throws: UserError.self) { _ = try LabFiles.split(both) }
        #expect(error.message == "two Cluster documents: two.yaml:1 and two.yaml:4")
    }

    @Test("a kind that nobody knows is told with its file and line")
    func unknownKind() throws {
        let odd = try manifest("apiVersion: v1\nkind: Podd\nmetadata: {name: a}\n")
        let error = try #require(throws: ManifestError.self) { _ = try LabFiles.split([odd]) }
        #expect("\(error)".contains("web.yaml:2") && "\(error)".contains("no matches for kind \"Podd\" in version \"v1\""))
    }

    // MARK: Apply

    @Test("created, unchanged, configured; what was applied once and is no longer wanted goes, what others wrote stays")
    func apply() async throws {
        let api = try await Fixture.api(), applier = Applier(client: api, defaultNamespace: "default")
        #expect(try await applier.apply(try manifest(Self.config)).outcome == .created)
        #expect(try await applier.apply(try manifest(Self.config)).outcome == .unchanged)
        _ = try await api.patch(.configMaps, Fixture.key("c"), ["data": ["other": "3"]])
        let next = Self.config.replacing("b: \"2\"", with: "d: \"4\"")
        #expect(try await applier.apply(try manifest(next)).outcome == .configured)
        #expect(try await api.get(.configMaps, Fixture.key("c"))["data"].stringMap == ["a": "1", "d": "4", "other": "3"])
    }

    @Test("a refusal names the file, and the line of each field")
    func refusal() async throws {
        let api = try await Fixture.api()
        let service = """
            apiVersion: v1
            kind: Service
            metadata:
              name: web
            spec:
              ports:
              - port: 700000
            """
        do {
            _ = try await Applier(client: api, defaultNamespace: "default").apply(try manifest(service))
            Issue.record("it was taken")
        } catch { #expect("\(error)".contains("web.yaml:7: spec.ports[0].port"), "\(error)") }
    }

    @Test("a last-applied annotation that is no JSON is an error, not an object that was never applied")
    func damagedAnnotation() async throws {
        let api = try await Fixture.api()
        var object = Fixture.configMap("c", ["a": "1"])
        object["metadata"]["annotations"][ThreeWayMerge.lastApplied] = "{"
        _ = try await api.create(.configMaps, object)
        await #expect(throws: UserError.self) {
            try await Applier(client: api, defaultNamespace: "default").apply(try manifest(Self.config))
        }
    }

    // MARK: Waiting

    @Test("ready is what is ready now, and of the newest generation")
    func readiness() async throws {
        let api = try await Fixture.api(), client = TroubledClient(api)
        _ = try await api.create(.deployments, Fixture.deployment("web", replicas: 1))
        let kind = try #require(Registry.kind(of: .deployments))
        await #expect(throws: Readiness.TimedOut.self) {
            try await Readiness(client: client).wait(for: [(kind, Fixture.key("web"))], timeout: .milliseconds(50)) { _ in }
        }
        async let waiting: Void = Readiness(client: client).wait(for: [(kind, Fixture.key("web"))], timeout: .seconds(30)) { _ in }
        // A watch that ends, as when the API restarts, is no answer.
        try await eventually("it watches") { client.watches > 0 }
        client.expireWatches(nil)
        try await eventually("it watches") { client.watches > 0 }
        client.expireWatches()
        try await eventually("it watches") { client.watches > 0 }
        var deployment = try await api.get(.deployments, Fixture.key("web"))
        deployment["status"] = ["observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1]
        _ = try await api.updateStatus(.deployments, deployment)
        try await waiting
    }

    // MARK: Deletion

    @Test("one that is not there holds none of the others up, and is waited for no longer than it is there")
    func deletion() async throws {
        let api = try await Fixture.api(), deletion = Deletion(client: api, namespace: "default")
        _ = try await api.create(.configMaps, Fixture.configMap("a"))
        _ = try await api.create(.configMaps, Fixture.configMap("b"))
        let targets = try await deletion.targets(ResourceArguments(["cm", "a", "none", "b"]), selector: nil, all: false)
        var deleted: [String] = []
        let failures = try await deletion.run(targets, gracePeriod: nil, ignoresNotFound: false, waits: true) {
            deleted.append($0.key.name)
        }
        #expect(deleted == ["a", "b"])
        #expect(failures.map { "\($0)" } == ["configmaps \"none\" not found"])
        #expect(try await deletion.run(targets, gracePeriod: nil, ignoresNotFound: true, waits: true) { _ in }.isEmpty)
    }

    @Test("a type alone deletes nothing unless all are asked for, or those with a label")
    func deletionOfAType() async throws {
        let api = try await Fixture.api(), deletion = Deletion(client: api, namespace: "default")
        _ = try await api.create(.pods, Fixture.pod("a", labels: ["app": "x"]))
        _ = try await api.create(.pods, Fixture.pod("b"))
        let pods = try ResourceArguments(["pods"])
        await #expect(throws: UserError.self) { try await deletion.targets(pods, selector: nil, all: false) }
        #expect(try await deletion.targets(pods, selector: "app=x", all: false).map(\.key.name) == ["a"])
        #expect(try await deletion.targets(pods, selector: nil, all: true).count == 2)
    }

    // MARK: Words

    @Test("labels are set, removed, and overwritten only when asked")
    func labels() throws {
        let (change, objects) = LabelChange.split(["pod", "web", "a=1", "b-"])
        #expect(objects == ["pod", "web"])
        #expect(try change.patch(of: ["b": "2"], overwrite: false).text() == #"{"metadata":{"labels":{"a":"1","b":null}}}"#)
        #expect(change.outcome(from: ["b": "2"], to: ["a": "1"]) == "labeled")
        #expect(change.outcome(from: ["a": "1"], to: ["a": "1"]) == "not labeled")
        #expect(LabelChange.split(["b-"]).change.outcome(from: ["b": "2"], to: [:]) == "unlabeled")
        #expect(throws: UserError.self) { try change.patch(of: ["a": "0"], overwrite: false) }
        #expect(try change.patch(of: ["a": "0"], overwrite: true)["metadata"]["labels"]["a"] == "1")
    }

    @Test("`run` makes the pod that kubectl makes")
    func run() throws {
        var request = RunRequest(name: "b", namespace: "lab", image: "busybox")
        request.words = ["sleep", "9"]
        request.environment = ["A=1=2"]
        request.labels = "x=y,z="
        let pod = Pod(try request.pod())
        #expect(pod.key == ObjectKey("lab", "b") && pod.labels == ["x": "y", "z": ""])
        #expect(pod.spec["containers"][0]["args"].text() == #"["sleep","9"]"# && pod.spec["containers"][0]["command"].isNull)
        #expect(pod.spec["containers"][0]["env"].text() == #"[{"name":"A","value":"1=2"}]"#)
        request.wordsAreCommand = true
        request.labels = nil
        #expect(try request.pod()["spec"]["containers"][0]["command"].text() == #"["sleep","9"]"#)
        #expect(try request.pod()["metadata"]["labels"].stringMap == ["run": "b"])
        request.labels = "x"
        #expect(throws: UserError.self) { try request.pod() }
    }

    @Test("a query names its namespace, selectors and the revision that it goes on from")
    func query() throws {
        let pods = try #require(try ResourceArguments(["pods"]).items.first),
            pod = try #require(try ResourceArguments(["pod/a"]).items.first)
        let query = ObjectQuery(namespace: "lab", allNamespaces: false, selector: "a in (b,c)", fieldSelector: "status.phase=Running")
        let selected = "labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=status.phase%3DRunning"
        #expect(query.path(pods) == "/api/v1/namespaces/lab/pods?\(selected)")
        #expect(query.path(pod) == "/api/v1/namespaces/lab/pods/a")
        #expect(query.watchPath(pods, from: "7") == "/api/v1/namespaces/lab/pods?watch=true&resourceVersion=7&\(selected)")
        let all = ObjectQuery(namespace: "lab", allNamespaces: true, selector: nil, fieldSelector: nil)
        #expect(all.path(pods) == "/api/v1/pods")
        #expect(all.watchPath(pod, from: "7") == "/api/v1/pods?watch=true&resourceVersion=7&fieldSelector=metadata.name%3Da")
    }

    @Test("a table as kubectl prints it: columns by the view, three spaces, nothing after the last")
    func table() throws {
        let kind = try #require(Registry.kind(named: "deploy"))
        let table: JSON = [
            "columnDefinitions": [["name": "Name", "priority": 0], ["name": "Ready", "priority": 0], ["name": "Images", "priority": 1]],
            "rows": [
                [
                    "cells": ["web", "1/1", "httpd"],
                    "object": ["metadata": ["namespace": "lab", "name": "web", "labels": ["b": "2", "a": "1"]]],
                ],
                ["cells": ["longer-name", .null, "x"], "object": ["metadata": ["namespace": "lab", "name": "longer-name"]]],
            ],
        ]
        var view = ObjectTable.View()
        #expect(ObjectTable(table, kind).text(view).lines == ["NAME          READY", "web           1/1", "longer-name   "])
        view.showsNamespaces = true
        view.showsLabels = true
        view.showsKinds = true
        view.isWide = true
        view.showsHeader = false
        #expect(
            ObjectTable(table, kind).text(view).lines == [
                "lab   deployment.apps/web           1/1   httpd   a=1,b=2", "lab   deployment.apps/longer-name         x       <none>",
            ])
        #expect(ObjectTable(table, kind).names == ["deployment.apps/web", "deployment.apps/longer-name"])
    }
}
