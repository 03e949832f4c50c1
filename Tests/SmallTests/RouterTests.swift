import API
import Model
import Testing

private struct WrongAnswer: Error {}

/// A cluster with three pods: a and b of the app web, c of none; a runs on n1.
private struct Site {
    let api: APIServer
    let router: Router

    init() async throws {
        api = try await Fixture.api()
        let hello = ScriptedNodes { pod, container in { try await $0(Array("hello from \(pod.name)/\(container)\n".utf8)) } }
        router = Router(api: api, nodes: hello, now: { Fixture.time })
        _ = try await api.create(.pods, Fixture.pod("a", labels: ["app": "web"], node: "n1"))
        _ = try await api.create(.pods, Fixture.pod("b", labels: ["app": "web"]))
        _ = try await api.create(.pods, Fixture.pod("c"))
    }

    func ask(_ method: String, _ target: String, accept: String = "", contentType: String = "application/json", _ body: JSON? = nil)
        async throws -> (
            body: JSON, code: Int
        )
    {
        let request = HTTPRequest(method: method, target: target, accept: accept, contentType: contentType, body: body?.bytes() ?? [])
        guard case .json(let json, let code) = await router.respond(request) else { throw WrongAnswer() }
        return (json, code)
    }

    func names(_ target: String) async throws -> [String] {
        let answer = try await ask("GET", target)
        #expect(answer.code == 200)
        return answer.body["items"].items.map(\.objectName)
    }

    func stream(_ target: String, accept: String = "") async throws -> AsyncThrowingStream<[UInt8], any Error> {
        guard case .stream(_, _, let source) = await router.respond(HTTPRequest(method: "GET", target: target, accept: accept)) else {
            throw WrongAnswer()
        }
        return .held(source)
    }

    /// The next `count` watch events, as JSON.
    func events(_ count: Int, _ stream: AsyncThrowingStream<[UInt8], any Error>) async throws -> [JSON] {
        try await take(count, from: stream).map { chunk in
            #expect(chunk.last == 0x0A, "an event is a line")
            return try JSON(parsing: chunk.dropLast())
        }
    }
}

private let pods = "/api/v1/namespaces/default/pods"

@Suite("HTTP: reading")
struct RouterReading {
    @Test("a list is of its kind and stands at a revision")
    func list() async throws {
        let site = try await Site()
        let answer = try await site.ask("GET", pods)
        let revision = await site.api.store.revision
        #expect(answer.code == 200)
        #expect(answer.body["kind"].string == "PodList")
        #expect(answer.body["apiVersion"].string == "v1")
        #expect(answer.body["metadata"]["resourceVersion"].string == String(revision))
        #expect(answer.body["items"].items.map(\.objectName) == ["a", "b", "c"])
    }

    @Test("a path with a namespace shows that one, without one all")
    func namespaces() async throws {
        let site = try await Site()
        _ = try await site.api.create(.namespaces, Fixture.namespace("other"))
        let created = try await site.ask(
            "POST", "/api/v1/namespaces/other/pods", ["metadata": ["name": "d"], "spec": ["containers": [["name": "m", "image": "i"]]]])
        #expect(created.code == 201)
        #expect(created.body["metadata"]["namespace"].string == "other")
        #expect(try await site.names("/api/v1/namespaces/other/pods") == ["d"])
        #expect(try await site.names("/api/v1/pods") == ["a", "b", "c", "d"])
    }

    @Test("kubectl gets a Table with a pod's columns")
    func table() async throws {
        let site = try await Site()
        let answer = try await site.ask("GET", pods, accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
        #expect(answer.body["kind"].string == "Table")
        #expect(answer.body["apiVersion"].string == "meta.k8s.io/v1")
        let columns = answer.body["columnDefinitions"].items
        #expect(columns.filter { $0["priority"].int == 0 }.map { $0["name"].string } == ["Name", "Ready", "Status", "Restarts", "Age"])
        #expect(columns.filter { $0["priority"].int == 1 }.compactMap { $0["name"].string }.contains("Node"))
        let rows = answer.body["rows"].items
        #expect(rows.count == 3)
        let first = try #require(rows.first)
        #expect(first["cells"].items.prefix(5).compactMap(\.string) == ["a", "0/1", "Pending", "0", "0s"])
        #expect(first["object"].objectName == "a")
    }

    @Test(
        "a label selector chooses",
        arguments: [
            ("app=web", ["a", "b"]), ("app%3Dweb", ["a", "b"]), ("app!=web", ["c"]), ("app", ["a", "b"]), ("!app", ["c"]),
            ("app in (x,web)", ["a", "b"]),
            ("app=web,app!=web", [String]()),
        ])
    func labelSelector(_ selector: String, _ names: [String]) async throws {
        let site = try await Site()
        #expect(try await site.names("\(pods)?labelSelector=\(selector)") == names)
    }

    @Test("a label selector that is none is a bad request")
    func badSelector() async throws {
        let answer = try await Site().ask("GET", "\(pods)?labelSelector=app%20in%20(web")
        #expect(answer.code == 400)
        #expect(answer.body["reason"].string == "BadRequest")
    }

    @Test(
        "a field selector chooses",
        arguments: [
            ("metadata.name=b", ["b"]), ("spec.nodeName=n1", ["a"]), ("spec.nodeName=", ["b", "c"]),
            ("metadata.name!=b,status.phase=Pending", ["a", "c"]),
        ])
    func fieldSelector(_ selector: String, _ names: [String]) async throws {
        let site = try await Site()
        #expect(try await site.names("\(pods)?fieldSelector=\(selector)") == names)
    }

    @Test("what is not there is a Status with code 404")
    func notFound() async throws {
        let site = try await Site()
        let answer = try await site.ask("GET", "\(pods)/nope")
        #expect(answer.code == 404)
        #expect(answer.body["kind"].string == "Status")
        #expect(answer.body["status"].string == "Failure")
        #expect(answer.body["reason"].string == "NotFound")
        #expect(answer.body["code"].int == 404)
        #expect(answer.body["message"].string == #"pods "nope" not found"#)
        #expect(answer.body["details"]["name"].string == "nope")
        let unknown = try await site.ask("GET", "/apis/apps/v1/widgets")
        #expect(unknown.code == 404)
        #expect(unknown.body["message"].string == "the server could not find the requested resource")
    }

    @Test("a pod's log is a stream of text, of the only container or of the one that is named")
    func log() async throws {
        let site = try await Site()
        let pieces = try await take(1, from: try await site.stream("\(pods)/a/log"))
        #expect(pieces.map { String(decoding: $0, as: UTF8.self) } == ["hello from a/main\n"])
        let wrong = try await site.ask("GET", "\(pods)/a/log?container=sidecar")
        #expect(wrong.code == 400)
        #expect(wrong.body["message"].string == "container sidecar is not valid for pod a")
    }
}

@Suite("HTTP: writing")
struct RouterWriting {
    @Test("merge, JSON and strategic patches change the object, any other kind of patch is an unsupported media type")
    func patch() async throws {
        let site = try await Site()
        let patch: JSON = ["metadata": ["labels": ["tier": "front"]]]
        let answer = try await site.ask("PATCH", "\(pods)/a", contentType: "application/merge-patch+json", patch)
        #expect(answer.code == 200)
        #expect(answer.body["metadata"]["labels"] == json(["app": "web", "tier": "front"]))
        let labels = try await site.ask(
            "PATCH", "\(pods)/a", contentType: "application/json-patch+json",
            [["op": "remove", "path": "/metadata/labels/tier"], ["op": "test", "path": "/metadata/name", "value": "a"]])
        #expect(labels.code == 200 && labels.body["metadata"]["labels"] == json(["app": "web"]))
        let images: JSON = ["spec": ["containers": [["name": "main", "image": "httpd:2"]]]]
        let image = try await site.ask("PATCH", "\(pods)/a", contentType: "application/strategic-merge-patch+json", images)
        #expect(image.code == 200 && image.body["spec"]["containers"].items.map { $0["image"].string } == ["httpd:2"])
        for type in ["application/json", "text/plain"] {
            let refused = try await site.ask("PATCH", "\(pods)/b", contentType: type, patch)
            #expect(refused.code == 415)
            #expect(refused.body["reason"].string == "UnsupportedMediaType")
        }
        let untouched = try await site.api.get(.pods, Fixture.key("b"))
        #expect(untouched["metadata"]["labels"] == json(["app": "web"]))
    }

    @Test("an object that is there already is a conflict, a body that is no object a bad request")
    func create() async throws {
        let site = try await Site()
        let twice = try await site.ask("POST", pods, Fixture.pod("a"))
        #expect(twice.code == 409)
        #expect(twice.body["reason"].string == "AlreadyExists")
        #expect(twice.body["message"].string == #"pods "a" already exists"#)
        #expect(try await site.ask("POST", pods, ["list"]).code == 400)
        let other = try await site.ask("POST", "/api/v1/namespaces/elsewhere/pods", Fixture.pod("x"))
        #expect(other.code == 400)
        #expect(other.body["message"].string == "the namespace of the provided object does not match the namespace sent on the request")
    }

    @Test("an invalid object is a Status whose causes name the fields")
    func invalid() async throws {
        let answer = try await Site().ask(
            "POST", "/api/v1/namespaces/default/services", Fixture.service("web", type: "NodePort", nodePort: 33000))
        #expect(answer.code == 422)
        #expect(answer.body["reason"].string == "Invalid")
        #expect(answer.body["details"]["kind"].string == "Service")
        #expect(answer.body["details"]["causes"][0]["field"].string == "spec.ports[0].nodePort")
    }

    @Test("a deletion answers Success and obeys the grace period it is given")
    func delete() async throws {
        let site = try await Site()
        let graceful = try await site.ask("DELETE", "\(pods)/a?gracePeriodSeconds=7")
        #expect(graceful.code == 200)
        let waiting = try await site.api.get(.pods, Fixture.key("a"))
        #expect(waiting["metadata"]["deletionGracePeriodSeconds"].int == 7)
        let forced = try await site.ask("DELETE", "\(pods)/a", ["kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0])
        #expect(forced.code == 200)
        #expect(try await site.ask("GET", "\(pods)/a").code == 404)
    }

    @Test("a namespace is not gone before it is empty, whatever grace period it is given")
    func namespaceStays() async throws {
        let site = try await Site()
        _ = try await site.api.create(.namespaces, Fixture.namespace("lab"))
        _ = try await site.ask("POST", "/api/v1/namespaces/lab/configmaps", ["metadata": ["name": "a"]])
        let answer = try await site.ask("DELETE", "/api/v1/namespaces/lab?gracePeriodSeconds=0")
        #expect(answer.code == 200)
        let namespace = try await site.ask("GET", "/api/v1/namespaces/lab")
        #expect(namespace.code == 200)
        #expect(namespace.body["status"]["phase"].string == "Terminating")
    }

    @Test("a method that a path does not have is not allowed")
    func method() async throws {
        let answer = try await Site().ask("PUT", pods, Fixture.pod("a"))
        #expect(answer.code == 405)
        #expect(answer.body["reason"].string == "MethodNotAllowed")
    }
}

@Suite("HTTP: watching", .timeLimit(.minutes(5)))
struct RouterWatching {
    @Test("a watch is a line of JSON for every change behind its revision")
    func watch() async throws {
        let site = try await Site()
        let revision = await site.api.store.revision
        let stream = try await site.stream("\(pods)?watch=1&resourceVersion=\(revision)")
        _ = try await site.api.create(.pods, Fixture.pod("d"))
        _ = try await site.api.patch(.pods, Fixture.key("d"), ["metadata": ["labels": ["x": "y"]]])
        try await site.api.delete(.pods, Fixture.key("d"))
        // A pod is told to go before it goes.
        let events = try await site.events(4, stream)
        #expect(events.map { $0["type"].string } == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"])
        #expect(events.map { $0["object"].objectName } == ["d", "d", "d", "d"])
        #expect(events.map { $0["object"]["kind"].string } == ["Pod", "Pod", "Pod", "Pod"])
        #expect(events[2]["object"]["metadata"]["deletionGracePeriodSeconds"] == 0)
    }

    @Test("a watch without a revision starts with what there is")
    func initial() async throws {
        let site = try await Site()
        let events = try await site.events(2, try await site.stream("\(pods)?watch=true&labelSelector=app%3Dweb"))
        #expect(events.map { $0["type"].string } == ["ADDED", "ADDED"])
        #expect(events.map { $0["object"].objectName } == ["a", "b"])
    }

    @Test("a watch for kubectl yields Tables of one row")
    func table() async throws {
        let site = try await Site()
        let event = try #require(
            try await site.events(1, try await site.stream("\(pods)?watch=1", accept: "application/json;as=Table;v=v1;g=meta.k8s.io")).first
        )
        #expect(event["type"].string == "ADDED")
        #expect(event["object"]["kind"].string == "Table")
        #expect(event["object"]["rows"].items.count == 1)
    }

    @Test("a watch of a label does not see others' changes")
    func filtered() async throws {
        let site = try await Site()
        let revision = await site.api.store.revision
        let stream = try await site.stream("\(pods)?watch=1&resourceVersion=\(revision)&labelSelector=app=web")
        _ = try await site.api.patch(.pods, Fixture.key("c"), ["metadata": ["labels": ["x": "y"]]])
        _ = try await site.api.patch(.pods, Fixture.key("b"), ["metadata": ["labels": ["x": "y"]]])
        #expect(try await site.events(1, stream).map { $0["object"].objectName } == ["b"])
    }

    @Test("an object that stops matching the selector is DELETED to that watch")
    func leaving() async throws {
        let site = try await Site()
        let revision = await site.api.store.revision
        let stream = try await site.stream("\(pods)?watch=1&resourceVersion=\(revision)&labelSelector=app=web")
        _ = try await site.api.patch(.pods, Fixture.key("a"), ["metadata": ["labels": ["app": "quarantine"]]])
        _ = try await site.api.create(.pods, Fixture.pod("last", labels: ["app": "web"]))
        let event = try #require(try await site.events(1, stream).first)
        #expect(event["type"].string == "DELETED")
        #expect(event["object"].objectName == "a")
    }

    @Test("a watch from a revision that is forgotten is told so with code 410")
    func expired() async throws {
        let site = try await Site()
        for value in 0..<9000 {
            let object: JSON = ["metadata": ["namespace": "default", "name": "c"], "n": .int(value)]
            _ = try await site.api.store.update(.pods, object, expected: nil)
        }
        // The stream opens and says so: what a client watches for is an event.
        let event = try #require(try await site.events(1, try await site.stream("\(pods)?watch=1&resourceVersion=1")).first)
        #expect(event["type"].string == "ERROR")
        #expect(event["object"]["code"].int == 410)
        #expect(event["object"]["reason"].string == "Expired")
    }
}
