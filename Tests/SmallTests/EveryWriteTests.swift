import API
import Model
import Testing

/// Every kind, through every verb and subresource that writes: all of them pass the one gate.
@Suite("every way to write")
struct EveryWriteTests {
    private let api: APIServer
    private let router: Router
    private let kinds: [KindDefinition]

    init() async throws {
        api = try await Fixture.api()
        router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        _ = try await api.create(.customResourceDefinitions, KindSamples.definition("gadgets"))
        kinds = api.catalog.kinds
    }

    private func send(_ method: String, _ path: String, _ body: JSON, _ type: String = "application/json", query: String = "fieldManager=t")
        async -> (
            code: Int, body: JSON
        )
    {
        let request = HTTPRequest(method: method, target: "\(path)?\(query)", contentType: type, body: body.bytes())
        switch await router.respond(request) {
        case .json(let answer, let code), .with(_, .json(let answer, let code)): return (code, answer)
        default: return (0, .null)
        }
    }

    private func path(_ kind: KindDefinition, _ name: String? = nil, _ subresource: String? = nil) -> String {
        kind.resource.path(namespace: "default", name: name, subresource: subresource)
    }

    private func expectRefusal(_ kind: KindDefinition, _ what: String, _ send: () async -> (code: Int, body: JSON)) async {
        let before = await api.store.revision
        let answer = await send()
        #expect(answer.code == 422, "\(kind.resource) \(what): \(answer.body.text())")
        #expect(await api.store.revision == before, "\(kind.resource) \(what) wrote")
    }

    private static let badLabel: JSON = ["metadata": ["labels": ["bad key!": "x"]]]
    private static let patches = [
        "application/merge-patch+json", "application/strategic-merge-patch+json", "application/json-patch+json",
        "application/apply-patch+yaml",
    ]

    private func patch(_ change: JSON, _ kind: KindDefinition, _ name: String, _ type: String) -> JSON {
        switch type {
        case "application/json-patch+json":
            return .array((change.object ?? JSONObject()).map { ["op": "add", "path": .string("/\($0)"), "value": $1] })
        case "application/apply-patch+yaml":
            var config = change
            config["apiVersion"] = .string(kind.resource.apiVersion)
            config["kind"] = .string(kind.resource.kind)
            config["metadata"]["name"] = .string(name)
            return config
        default: return change
        }
    }

    @Test("refuses what is not legal, and writes nothing")
    func objects() async throws {
        for kind in kinds where kind.verbs.contains("update") {
            let name = KindSamples.name(kind, 1), other = KindSamples.name(kind, 2)
            let good = KindSamples.object(kind, name)
            var bad = good
            bad["metadata"]["labels"] = ["bad key!": "x"]
            await expectRefusal(kind, "create") { await send("POST", path(kind), bad) }
            await expectRefusal(kind, "apply that creates") {
                await send("PATCH", path(kind, name), bad, "application/apply-patch+yaml")
            }
            let made = await send("POST", path(kind), good)
            #expect(made.code == 201, "\(kind.resource): \(made.body.text())")
            if kind.allowsCreateOnUpdate {
                var absent = bad
                absent["metadata"]["name"] = .string(other)
                await expectRefusal(kind, "update that creates") { await send("PUT", path(kind, other), absent) }
            }
            // Some of it comes right after it has been made.
            var update = await send("GET", path(kind, name), .null).body
            update["metadata"]["labels"] = ["bad key!": "x"]
            await expectRefusal(kind, "update") { await send("PUT", path(kind, name), update) }
            for type in Self.patches where type != Self.patches[1] || !kind.isCustom {
                var change = Self.badLabel
                if type == Self.patches[2] { change["metadata"] = update["metadata"] }
                await expectRefusal(kind, type) { await send("PATCH", path(kind, name), patch(change, kind, name, type), type) }
            }
        }
    }

    /// What is not legal through a subresource.
    private func wrong(_ object: JSON, _ kind: KindDefinition, _ subresource: String) -> JSON? {
        var object = object
        switch subresource {
        case "status" where kind.isCustom: object["status"] = ["replicas": -1, "conditions": [["status": "No"]]]
        case "status": object["metadata"]["annotations"] = ["bad key!": "x"]
        case "scale":
            return [
                "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": ["name": object["metadata"]["name"]], "spec": ["replicas": -1],
            ]
        case "ephemeralcontainers": object["spec"]["ephemeralContainers"] = [["name": "C!", "image": "i"]]
        case "resize":
            object["spec"]["containers"] = [
                ["name": "c", "image": "i", "resources": ["requests": ["cpu": "1"], "limits": ["cpu": "0.5"]]]
            ]
        case "finalize": object["spec"]["finalizers"] = ["bad key!"]
        default: return nil
        }
        return object
    }

    @Test("refuses through each subresource what is not legal, and writes nothing")
    func subresources() async throws {
        var tried = 0
        for kind in kinds where kind.verbs.contains("update") {
            let name = KindSamples.name(kind, 1)
            _ = await send("POST", path(kind), KindSamples.object(kind, name))
            let made = await send("GET", path(kind, name), .null)
            for subresource in kind.subresources {
                guard let bad = wrong(made.body, kind, subresource.name) else { continue }
                tried += 1
                if subresource.verbs.contains("update") {
                    await expectRefusal(kind, "PUT \(subresource.name)") { await send("PUT", path(kind, name, subresource.name), bad) }
                }
                guard subresource.verbs.contains("patch") else { continue }
                await expectRefusal(kind, "PATCH \(subresource.name)") {
                    await send("PATCH", path(kind, name, subresource.name), bad, "application/merge-patch+json")
                }
            }
        }
        #expect(tried > 25)
        let pod = try await api.create(.pods, Fixture.pod("b"))
        let kind = try api.definition(.pods)
        let binding: JSON = ["apiVersion": "v1", "kind": "Binding", "metadata": ["name": "b"], "target": ["kind": "Node", "name": "Bad_"]]
        await expectRefusal(kind, "binding") { await send("POST", path(kind, pod.objectName, "binding"), binding) }
    }

    @Test("a part of the cluster that reports a status is held to the same rules")
    func reports() async throws {
        for kind in kinds where kind.hasStatus && kind.resource.group == "apps" {
            var object = try await api.create(kind.resource, KindSamples.object(kind, "a1"))
            object["status"]["observedGeneration"] = -1
            let before = await api.store.revision
            do {
                _ = try await api.updateStatus(kind.resource, object)
                Issue.record("\(kind.resource): a negative generation was taken")
            } catch let error as StatusError {
                #expect(error.causes.map(\.field) == ["status.observedGeneration"])
            }
            #expect(await api.store.revision == before)
        }
    }

    @Test("notes who wrote, and through what")
    func tracks() async throws {
        for kind in kinds where kind.hasStatus && kind.storage == nil {
            let name = KindSamples.name(kind, 1)
            _ = await send("POST", path(kind), KindSamples.object(kind, name))
            var change: JSON = [
                "status": [
                    "conditions": [
                        ["type": "Example", "status": "True", "reason": "r", "message": "m", "lastTransitionTime": "2026-11-23T10:00:00Z"]
                    ]
                ]
            ]
            if kind.resource.plural == "persistentvolumes" { change = ["status": ["phase": "Failed", "reason": "r"]] }
            if kind.resource.plural == "volumeattachments" { change = ["status": ["attached": true]] }
            if kind.resource.plural == "gadgets" { change = ["status": ["replicas": 1]] }
            if kind.resource.plural.hasSuffix("routes") { change = ["status": ["parents": []]] }
            if ["services", "ingresses", "cronjobs", "resourcequotas"].contains(kind.resource.plural) { continue }
            let answer = await send(
                "PATCH", path(kind, name, "status"), change, "application/merge-patch+json", query: "fieldManager=reporter")
            #expect(answer.code == 200, "\(kind.resource): \(answer.body.text())")
            let entries = answer.body["metadata"]["managedFields"].items.filter { $0["manager"] == "reporter" }
            #expect(entries.map { $0["subresource"].string } == ["status"], "\(kind.resource)")
        }
    }
}
