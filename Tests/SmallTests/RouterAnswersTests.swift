import API
import Model
import Store
import Testing

/// What a real server answered to the same, by cause; the words are its.
@Suite("HTTP: answers as upstream's")
struct RouterAnswers {
    private static let secrets = "/api/v1/namespaces/default/secrets"

    private struct Answer {
        var code = 0
        var headers: [(name: String, value: String)] = []
        var body = JSON.null
        var text = ""
        var type = ""

        init(_ response: HTTPResponse) {
            switch response {
            case .json(let body, let code): (self.body, self.code, type) = (body, code, "application/json")
            case .text(let text, let code): (self.text, self.code, type) = (text, code, "text/plain")
            case .bytes(let bytes, let type, let code):
                (text, self.code, self.type) = (String(decoding: bytes, as: UTF8.self), code, type)
            case .with(let headers, let inner):
                self = Answer(inner)
                self.headers += headers
            case .stream, .relayed: break
            }
        }
    }

    private func ask(
        _ method: String, _ path: String, _ body: JSON? = nil, type: String = "application/json", headers: [(String, String)] = [],
        peer: UserInfo? = .root, hasRoles: Bool = false
    ) async throws -> Answer {
        let api = try await Fixture.api()
        if hasRoles {
            for (resource, object) in BootstrapPolicy.objects where !resource.namespaced { _ = try await api.create(resource, object) }
        }
        let router = Router(api: api, nodes: ScriptedNodes { _, _ in { _ in } }, now: { Fixture.time })
        let secret: JSON = ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s", "namespace": "default"]]
        _ = try await api.create(.secrets, secret)
        return Answer(
            await router.respond(
                HTTPRequest(
                    method: method, target: path, contentType: body == nil ? "" : type, headers: headers, body: body?.bytes() ?? [],
                    peer: peer)))
    }

    @Test(
        "a path at which nothing is served is no page; below a group that is served it is a Status",
        arguments: [
            ("/nope", false), ("/apis/nope", false), ("//api/v1", false), ("/healthz/", false), ("/readyz/nope", false),
            ("/openapi/v2/", false), ("/api/v2", true), ("/api/v1/nope", true), ("/apis/apps/v2", true), ("/api//v1", true),
            ("\(secrets)/s/nope", true),
        ])
    func unknownPaths(_ path: String, _ isStatus: Bool) async throws {
        let answer = try await ask("GET", path)
        #expect(answer.code == 404)
        #expect(isStatus ? answer.body["reason"] == "NotFound" : answer.text == "404 page not found\n")
    }

    @Test(
        "who takes nothing that is served hears of it from the layer that knows",
        arguments: [
            ("application/*", "406: Not Acceptable"), ("text/plain", "406: Not Acceptable"), ("APPLICATION/JSON", "406: Not Acceptable"),
            ("application/json;as=Table;v=v1;g=foo", "only the following media types"),
            ("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "you requested PartialObjectMetadataList, but"),
        ])
    func notAcceptable(_ accept: String, _ words: String) async throws {
        let answer = try await ask("GET", "\(Self.secrets)/s", headers: [("Accept", accept)])
        #expect(answer.code == 406)
        #expect(answer.body["message"].string?.hasPrefix(words) == true)
    }

    @Test("of YAML and JSON comes the dearer one, errors too")
    func quality() async throws {
        let accept = [("Accept", "application/json;q=0.1, application/yaml;q=0.9")]
        #expect(try await ask("GET", "\(Self.secrets)/s", headers: accept).type == "application/yaml")
        let missing = try await ask("GET", "\(Self.secrets)/none", headers: accept)
        #expect(missing.code == 404 && missing.type == "application/yaml" && missing.text.contains("reason: NotFound"))
    }

    @Test("what a typed list holds does not repeat the list's kind")
    func listItems() async throws {
        let list = try await ask("GET", Self.secrets).body
        #expect(list["kind"] == "SecretList" && list["apiVersion"] == "v1")
        #expect(list["items"][0]["kind"].isNull && list["items"][0]["apiVersion"].isNull)
        #expect(HTTPClient.items(of: list).first?["kind"] == "Secret")
    }

    @Test("a stranger may read what is open to all, a wrong proof is refused")
    func strangers() async throws {
        #expect(try await ask("GET", "/version", peer: nil, hasRoles: true).code == 200)
        #expect(try await ask("GET", "/healthz", peer: nil, hasRoles: true).text == "ok")
        let pods = try await ask("GET", "/api/v1/namespaces/default/pods", peer: nil, hasRoles: true)
        #expect(pods.code == 403)
        #expect(pods.body["message"].string?.contains("User \"system:anonymous\" cannot list resource \"pods\"") == true)
        #expect(try await ask("GET", "/version", headers: [("Authorization", "Bearer nope")], peer: nil, hasRoles: true).code == 401)
    }

    @Test("who acts for somebody takes over the uid and what else is said of them")
    func impersonation() async throws {
        let headers = [("Impersonate-User", "u"), ("Impersonate-Uid", "x"), ("Impersonate-Extra-a%2Fb", "c")]
        let answer = try await ask(
            "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", [:], headers: headers, hasRoles: true)
        let user = answer.body["status"]["userInfo"]
        #expect(answer.code == 201, "\(answer.body.text())")
        #expect(user["uid"] == "x" && user["extra"] == ["a/b": ["c"]] && user["groups"] == ["system:authenticated"])
    }

    @Test(
        "parameters are read strictly",
        arguments: [
            ("POST", "dryRun=All&dryRun=Foo", 422), ("POST", "fieldValidation=strict", 422), ("GET", "timeoutSeconds=x&watch=1", 400),
            ("GET", "sendInitialEvents=true", 422), ("GET", "continue=e30", 400), ("GET", "resourceVersionMatch=NotOlderThan&watch=1", 422),
            ("DELETE", "propagationPolicy=Orphan&orphanDependents=true", 422), ("DELETE", "propagationPolicy=foo", 422),
        ])
    func parameters(_ method: String, _ query: String, _ code: Int) async throws {
        let body: JSON? = method == "POST" ? ["metadata": ["name": "t"]] : nil
        #expect(try await ask(method, "\(Self.secrets)?\(query)", body).code == code)
    }

    @Test("a patch that another media type brings is refused by the path, and one that makes no object by the object")
    func patches() async throws {
        let path = "\(Self.secrets)/s"
        let media = try await ask("PATCH", path, [:])
        #expect(media.code == 415 && media.body["message"] == "415: Unsupported Media Type")
        let mistyped = try await ask("PATCH", path, ["data": 5], type: "application/merge-patch+json")
        #expect(mistyped.code == 422 && mistyped.body["details"]["causes"][0]["field"] == "patch")
        let nothing = try JSON(parsing: "{\"metadata\": null}")
        let nameless = try await ask("PATCH", path, nothing, type: "application/merge-patch+json")
        #expect(nameless.body["message"] == "the name of the object (s based on URL) was undeterminable: name must be provided")
        let other = try await ask("PATCH", path, ["metadata": ["uid": "x"]], type: "application/merge-patch+json")
        #expect(other.code == 422 && other.body["details"]["causes"][0]["field"] == "metadata.uid")
    }

    @Test("the last finalizer's removal is the end, and writes no revision of its own")
    func finalizers() async throws {
        let secret: JSON = [
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s", "namespace": "default", "finalizers": ["a.b/c"]],
        ]
        let api = try await Fixture.api()
        let kind = try #require(Registry.kind(apiVersion: "v1", kind: "Secret")), key = ObjectKey("default", "s")
        _ = try await api.create(.secrets, secret)
        let marked = try await api.delete(kind, key, DeleteOptions()).object
        let last = try await api.patch(
            kind, key, .merge(try JSON(parsing: "{\"metadata\": {\"finalizers\": null}}")), subresource: nil, WriteOptions())
        #expect(last.isGone)
        #expect(last.object["metadata"]["resourceVersion"] == marked["metadata"]["resourceVersion"])
        #expect(try await api.store.get(.secrets, key) == nil)
    }

    @Test("a job's pods outlive it unless somebody says otherwise, and the client hears so")
    func jobs() async throws {
        let answer = try await ask("DELETE", "/apis/batch/v1/namespaces/default/jobs/none")
        #expect(answer.code == 404)
        #expect(answer.headers.contains { $0.name == "Warning" && $0.value.contains("child pods are preserved by default") })
        #expect(try await ask("DELETE", "/apis/batch/v1/namespaces/default/jobs/none?propagationPolicy=Background").headers.isEmpty)
    }

    @Test(
        "a command in a pod asks for create, by whichever method and path its stream is opened",
        arguments: [
            ("GET", "/api/v1"), ("GET", "/api/v1/watch"), ("PUT", "/api/v1"), ("PATCH", "/api/v1"), ("DELETE", "/api/v1"),
            ("POST", "/api/v1"),
        ])
    func commands(_ method: String, _ root: String) async throws {
        let api = try await Fixture.api(), group = "rbac.authorization.k8s.io"
        let verbs: JSON = ["get", "list", "watch", "update", "patch", "delete", "deletecollection"]
        let role: JSON = [
            "metadata": ["name": "reader"], "rules": [["apiGroups": ["*"], "resources": ["*"], "verbs": verbs]],
        ]
        let binding: JSON = [
            "metadata": ["name": "reader"], "roleRef": ["apiGroup": .string(group), "kind": "ClusterRole", "name": "reader"],
            "subjects": [["apiGroup": .string(group), "kind": "User", "name": "jane"]],
        ]
        _ = try await api.create(.clusterRoles, role)
        _ = try await api.create(.clusterRoleBindings, binding)
        let router = Router(api: api, nodes: ScriptedNodes { _, _ in { _ in } }, now: { Fixture.time })
        let peer = UserInfo(name: "jane", groups: ["system:authenticated"])
        for subresource in ["exec", "attach", "portforward"] {
            let request = HTTPRequest(
                method: method, target: "\(root)/namespaces/default/pods/p/\(subresource)", contentType: "", headers: [], body: [],
                peer: peer)
            let answer = Answer(await router.respond(request))
            #expect(answer.code == 403, "\(method) \(subresource)")
            #expect(answer.body["message"].string?.contains("cannot create resource \"pods/\(subresource)\"") == true, "\(answer)")
        }
    }

    @Test("a grace below zero counts as a second, and what was deleted so can be taken at once afterwards")
    func negativeGrace() async throws {
        let api = try await Fixture.api(), key = ObjectKey("default", "p")
        let kind = try #require(Registry.kind(apiVersion: "v1", kind: "Pod"))
        _ = try await api.create(.pods, Fixture.pod("p", node: "worker"))
        var options = DeleteOptions()
        options.gracePeriod = -1
        #expect(try await api.delete(kind, key, options).object["metadata"]["deletionGracePeriodSeconds"] == 1)
        options.gracePeriod = 0
        #expect(try await api.delete(kind, key, options).isGone)
    }
}
