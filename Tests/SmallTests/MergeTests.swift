import API
import Model
import Testing

private let deployments = Registry.kind(apiVersion: "apps/v1", kind: "Deployment")?.schema ?? .any
private let pods = Registry.kind(apiVersion: "v1", kind: "Pod")?.schema ?? .any

private func containers(_ list: JSON) -> JSON { ["spec": ["template": ["spec": ["containers": list]]]] }

@Suite("JSON patch (RFC 6902)")
struct JSONPatchTests {
    private static let document: JSON = ["a": ["b": [1, 2, 3]], "m~n": 8, "x/y": 9]

    @Test(
        "each operation does what the RFC says",
        arguments: [
            ([["op": "add", "path": "/a/b/1", "value": 9]], ["a": ["b": [1, 9, 2, 3]], "m~n": 8, "x/y": 9]),
            ([["op": "add", "path": "/a/b/-", "value": 4]], ["a": ["b": [1, 2, 3, 4]], "m~n": 8, "x/y": 9]),
            ([["op": "remove", "path": "/a/b/0"]], ["a": ["b": [2, 3]], "m~n": 8, "x/y": 9]),
            ([["op": "replace", "path": "/x~1y", "value": 1]], ["a": ["b": [1, 2, 3]], "m~n": 8, "x/y": 1]),
            ([["op": "move", "from": "/m~0n", "path": "/a/c"]], ["a": ["b": [1, 2, 3], "c": 8], "x/y": 9]),
            ([["op": "copy", "from": "/a/b/2", "path": "/z"]], ["a": ["b": [1, 2, 3]], "m~n": 8, "x/y": 9, "z": 3]),
            ([["op": "test", "path": "/a/b/0", "value": 1], ["op": "replace", "path": "", "value": ["n": 1]]], ["n": 1]),
        ] as [(JSON, JSON)])
    func operations(_ patch: JSON, _ expected: JSON) throws { #expect(try JSONPatch.apply(patch, to: Self.document) == expected) }

    @Test(
        "what does not apply is refused whole",
        arguments: [
            [["op": "remove", "path": "/none"]], [["op": "replace", "path": "/a/b/7", "value": 1]],
            [["op": "add", "path": "/a/b/9", "value": 1]],
            [["op": "test", "path": "/a/b/0", "value": 2]], [["op": "add", "path": "/none/deep", "value": 1]],
            [["op": "dance", "path": "/a"]],
            [["op": "add", "path": "/a"]], [["op": "add", "value": 1]], [1], ["op": "add"],
        ] as [JSON])
    func refused(_ patch: JSON) { #expect(throws: StatusError.self) { try JSONPatch.apply(patch, to: Self.document) } }
}

@Suite("strategic merge patches")
struct StrategicMergeTests {
    private static let live = containers([
        ["name": "a", "image": "x:1", "env": [["name": "E", "value": "1"]]], ["name": "b", "image": "y:1"],
    ])

    @Test("elements of a list are found by their merge key")
    func mergesByKey() throws {
        let patched = try StrategicMergePatch.apply(containers([["name": "b", "image": "y:2"]]), to: Self.live, deployments)
        #expect(
            patched == containers([["name": "a", "image": "x:1", "env": [["name": "E", "value": "1"]]], ["name": "b", "image": "y:2"]]))
    }

    @Test("$patch: delete removes an element, $setElementOrder orders what is left")
    func directives() throws {
        let gone = try StrategicMergePatch.apply(containers([["name": "a", "$patch": "delete"]]), to: Self.live, deployments)
        #expect(gone == containers([["name": "b", "image": "y:1"]]))
        let order: JSON = [
            "spec": [
                "template": [
                    "spec": [
                        "$setElementOrder/containers": [["name": "b"], ["name": "a"]], "containers": [["name": "b", "image": "y:3"]],
                    ]
                ]
            ]
        ]
        let ordered = try StrategicMergePatch.apply(order, to: Self.live, deployments)
        #expect(ordered["spec"]["template"]["spec"]["containers"].items.map { $0["name"].string } == ["b", "a"])
        #expect(ordered["spec"]["template"]["spec"]["containers"][0]["image"].string == "y:3")
    }

    @Test("$retainKeys clears what it does not name, $patch: replace takes the whole")
    func replaces() throws {
        let live: JSON = ["spec": ["strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1]]]]
        let retained = try StrategicMergePatch.apply(
            ["spec": ["strategy": ["$retainKeys": ["type"], "type": "Recreate"]]], to: live, deployments)
        #expect(retained == ["spec": ["strategy": ["type": "Recreate"]]])
        let replaced = try StrategicMergePatch.apply(
            ["metadata": ["labels": ["$patch": "replace", "b": "2"]]], to: ["metadata": ["labels": ["a": "1"]]], deployments)
        #expect(replaced == ["metadata": ["labels": ["b": "2"]]])
    }

    @Test("lists of values merge where the API says so, and $deleteFromPrimitiveList takes out")
    func primitives() throws {
        let live: JSON = ["metadata": ["finalizers": ["a/x", "b/x"]]]
        let added = try StrategicMergePatch.apply(["metadata": ["finalizers": ["c/x"]]], to: live, pods)
        // What a patch adds comes before what it does not name, as with `kubectl patch`.
        #expect(added == ["metadata": ["finalizers": ["c/x", "a/x", "b/x"]]])
        let removed = try StrategicMergePatch.apply(["metadata": ["$deleteFromPrimitiveList/finalizers": ["a/x"]]], to: live, pods)
        #expect(removed == ["metadata": ["finalizers": ["b/x"]]])
    }
}

@Suite("server-side apply")
struct ServerSideApplyTests {
    private static func configMap(_ data: JSON) -> JSON {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "c"], "data": data]
    }

    private static func apply(_ api: APIServer, _ manager: String, _ data: JSON, force: Bool = false) async throws -> JSON {
        var options = WriteOptions()
        (options.fieldManager, options.force) = (manager, force)
        let kind = try #require(Registry.kind(of: .configMaps))
        return try await api.patch(kind, Fixture.key("c"), .apply(configMap(data)), subresource: nil, options).object
    }

    @Test("each manager has its fields; what one gives up and nobody else has goes")
    func shares() async throws {
        let api = try await Fixture.api()
        _ = try await Self.apply(api, "one", ["a": "1", "b": "1"])
        _ = try await Self.apply(api, "two", ["b": "1", "c": "1"])
        #expect(try await Self.apply(api, "one", ["a": "2"])["data"] == ["a": "2", "b": "1", "c": "1"], "b is two's as well")
        let last = try await Self.apply(api, "two", ["c": "1"])
        #expect(last["data"] == ["a": "2", "c": "1"])
        let entries = last["metadata"]["managedFields"].items.map { ($0["manager"].string ?? "", $0["fieldsV1"]) }
        #expect(entries.map(\.0) == ["one", "two"])
        #expect(entries.map(\.1) == [["f:data": ["f:a": .emptyObject]], ["f:data": ["f:c": .emptyObject]]])
    }

    @Test("a value that another manager set is a conflict, which force wins")
    func conflicts() async throws {
        let api = try await Fixture.api()
        _ = try await Self.apply(api, "one", ["a": "1"])
        let error = try #require(await #expect(throws: StatusError.self) { _ = try await Self.apply(api, "two", ["a": "2"]) })
        #expect(error.code == 409 && error.message == "Apply failed with 1 conflict: conflict with \"one\": .data.a")
        #expect(error.causes.map(\.field) == [".data.a"])
        let forced = try await Self.apply(api, "two", ["a": "2"], force: true)
        #expect(forced["data"] == ["a": "2"])
        #expect(forced["metadata"]["managedFields"].items.map { $0["manager"].string } == ["two"])
    }

    @Test("applying the same again writes nothing")
    func idempotent() async throws {
        let api = try await Fixture.api()
        let first = try await Self.apply(api, "one", ["a": "1"])
        #expect(try await Self.apply(api, "one", ["a": "1"])["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"])
    }

    @Test("an update takes the fields it changes from whoever applied them")
    func update() async throws {
        let api = try await Fixture.api()
        _ = try await Self.apply(api, "one", ["a": "1", "b": "1"])
        var options = WriteOptions()
        options.fieldManager = "editor"
        let kind = try #require(Registry.kind(of: .configMaps))
        let edited = try await api.patch(kind, Fixture.key("c"), .merge(["data": ["a": "9"]]), subresource: nil, options).object
        let owners = Dictionary(
            uniqueKeysWithValues: edited["metadata"]["managedFields"].items.map { ($0["manager"].string ?? "", $0["fieldsV1"]["f:data"]) })
        #expect(owners == ["one": ["f:b": .emptyObject], "editor": ["f:a": .emptyObject]])
    }
}
