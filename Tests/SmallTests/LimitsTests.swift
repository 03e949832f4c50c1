import API
import Model
import Testing

/// Lists of ten, each of ten times the one before: a few hundred bytes that stand for ten to the power of `levels`.
private func laughs(_ levels: Int) -> String {
    var text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  l0: &l0 [\(Array(repeating: "x", count: 10).joined(separator: ","))]\n"
    for level in 1..<levels {
        text += "  l\(level): &l\(level) [\(Array(repeating: "*l\(level - 1)", count: 10).joined(separator: ","))]\n"
    }
    return text
}

@Suite("Limits: YAML")
struct YAMLLimits {
    private func read(_ text: String) throws -> [Manifest] { try Manifest.read(text, file: "lab.yaml") }

    private func complaint(_ text: String) throws -> String { try #require(throws: ManifestError.self) { _ = try read(text) }.message }

    @Test("aliases stand for what they name")
    func aliases() throws {
        let json = try #require(try read("apiVersion: v1\nkind: Thing\na: &a {x: 1}\nb: [*a, *a]\n").first).json
        #expect(json["b"] == [["x": 1], ["x": 1]])
        #expect(try read(laughs(3)).count == 1, "a thousand values are an ordinary document")
    }

    @Test("a document that is mostly aliases is refused before it is walked through", arguments: [5, 9, 30])
    func excessive(_ levels: Int) throws { #expect(try complaint(laughs(levels)) == "document contains excessive aliasing") }

    @Test("an alias to many values is no key")
    func keys() throws {
        #expect(try complaint(laughs(3) + "  ? *l2\n  : 1\n") == "a key must be a plain word")
    }

    @Test("an anchor is not there within itself")
    func circle() throws { #expect(try complaint("apiVersion: v1\nkind: Thing\na: &a [*a]\n") == "unknown anchor 'a' referenced") }

    @Test("an anchor is of its own document")
    func otherDocument() throws {
        #expect(try complaint("apiVersion: v1\nkind: A\na: &a 1\n---\napiVersion: v1\nkind: B\nb: *a\n").contains("unknown anchor"))
    }

    @Test("what stands below a long key has the line of what encloses it")
    func longKey() throws {
        let key = String(repeating: "k", count: 600)
        let manifest = try #require(try read("apiVersion: v1\nkind: Thing\nspec:\n  \(key):\n    \(key):\n      a: 1\n      b: 2\n").first)
        #expect(manifest.json["spec"][key][key]["b"].int == 2)
        #expect(manifest.line(of: "spec.\(key).\(key).b") == 4)
    }

    @Test("nesting and directives are counted")
    func counted() throws {
        #expect(try complaint("apiVersion: v1\nkind: Thing\na: " + String(repeating: "[", count: 300)) == "nested too deeply")
        #expect(try complaint(String(repeating: "%TAG !a! b\n", count: 65) + "---\na: 1\n").hasPrefix("too many directives"))
    }

    @Test("a client's body is read with the same limits, whatever it asks for")
    func body() async throws {
        let router = Router(api: try await Fixture.api(), nodes: ScriptedNodes(), now: { Fixture.time })
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        let request = HTTPRequest(method: "POST", target: path, contentType: "application/yaml", body: Array(laughs(12).utf8))
        guard case .json(let status, 400) = await router.respond(request) else {
            Issue.record("the body was not refused")
            return
        }
        #expect(status["message"].string?.contains("excessive aliasing") == true, "\(status)")
    }
}

@Suite("Limits: patterns of custom kinds")
struct PatternLimits {
    @Test("matching does not go back: a value that would take for ever is told at once")
    func linear() throws {
        let value = String(repeating: "a", count: 4000) + "!"
        for text in ["^(a+)+$", "^(a|a)*$", "^(.*a){12}$"] { #expect(!(try Pattern(text).matches(value)), "\(text)") }
        #expect(try Pattern("^(a+)+$").matches("aaa"))
    }

    @Test("the syntax is RE2's")
    func syntax() throws {
        #expect(try Pattern("(?i)^web-[[:digit:]]+\\z").matches("WEB-12"))
        #expect(try Pattern("b").matches("abc"), "a pattern may match anywhere")
        #expect(try Pattern("^\\p{Greek}+$").matches("αβγ"))
        for text in ["(", "+", "(?=a)", "(a)\\1", "a{2000}", "[z-a]"] {
            #expect(throws: Pattern.Malformed.self, "\(text)") { _ = try Pattern(text) }
        }
    }

    private static func definition(_ pattern: String) -> JSON {
        [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "lamps.lab.example"],
            "spec": [
                "group": "lab.example", "scope": "Namespaced", "names": ["plural": "lamps", "kind": "Lamp"],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true,
                        "schema": [
                            "openAPIV3Schema": [
                                "type": "object",
                                "properties": [
                                    "spec": ["type": "object", "properties": ["colour": ["type": "string", "pattern": .string(pattern)]]]
                                ],
                            ]
                        ],
                    ]
                ],
            ],
        ]
    }

    private func ask(_ router: Router, _ path: String, _ object: JSON) async throws -> (code: Int, body: JSON) {
        let request = HTTPRequest(method: "POST", target: path, contentType: "application/json", body: object.bytes())
        guard case .json(let body, let code) = await router.respond(request) else { throw StatusError.badRequest("no JSON") }
        return (code, body)
    }

    @Test("a definition whose pattern is none is refused, as upstream refuses it")
    func refused() async throws {
        let router = Router(api: try await Fixture.api(), nodes: ScriptedNodes(), now: { Fixture.time })
        let (code, body) = try await ask(router, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Self.definition("+"))
        #expect(code == 422)
        let words =
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[colour].pattern: Invalid value: \"+\": must be a valid regular expression, but isn't: "
        #expect(body["message"].string?.contains(words) == true, "\(body)")
    }

    @Test("objects are held against it")
    func held() async throws {
        let router = Router(api: try await Fixture.api(), nodes: ScriptedNodes(), now: { Fixture.time })
        #expect(try await ask(router, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Self.definition("^(r+)+$")).code == 201)
        func lamp(_ name: String, _ colour: String) async throws -> Int {
            try await ask(
                router, "/apis/lab.example/v1/namespaces/default/lamps",
                ["apiVersion": "lab.example/v1", "kind": "Lamp", "metadata": ["name": .string(name)], "spec": ["colour": .string(colour)]]
            ).code
        }
        #expect(try await lamp("a", "rrr") == 201)
        #expect(try await lamp("b", String(repeating: "r", count: 200) + "!") == 422)
    }

    @Test("what an object and a schema cost together is counted")
    func work() {
        let branches = JSON.array((0..<100).map { _ in ["pattern": "^a*$"] })
        let schema: JSON = ["type": "object", "additionalProperties": ["type": "string", "allOf": branches]]
        let object = JSON.object(JSONObject(uniqueKeys: (0..<100).map { "k\($0)" }, values: Array(repeating: .string("aaaa"), count: 100)))
        let patterns = StructuralSchema.patterns(schema)
        #expect(SchemaValidation.causes(object, schema, patterns: patterns).isEmpty)
        let causes = SchemaValidation.causes(object, schema, patterns: patterns, mostWork: 10_000)
        #expect(causes.count == 1 && causes[0].message.contains("too much work"), "\(causes)")
    }
}

@Suite("Limits: patches and objects")
struct PatchLimits {
    private func error(_ patch: JSON, _ document: JSON) throws -> StatusError {
        try #require(throws: StatusError.self) { _ = try JSONPatch.apply(patch, to: document) }
    }

    @Test("a JSON patch has ten thousand operations at most")
    func operations() throws {
        let one: JSON = ["op": "replace", "path": "/a", "value": 1]
        #expect(try JSONPatch.apply(.array(Array(repeating: one, count: 10_000)), to: ["a": 0]) == ["a": 1])
        let error = try error(.array(Array(repeating: one, count: 10_001)), ["a": 0])
        #expect(error.code == 413 && error.message == "The allowed maximum operations in a JSON patch is 10000, got 10001")
    }

    @Test("copies that double are stopped")
    func copies() throws {
        let document: JSON = ["a": .array([.string(String(repeating: "x", count: 1000))])]
        let double: JSON = ["op": "copy", "from": "/a", "path": "/a/-"]
        #expect(try error(.array(Array(repeating: double, count: 40)), document).message.contains("accumulated size increase of copy"))
    }

    @Test("copies that nest are stopped: what the server walks through has a depth")
    func depth() throws {
        var patch: [JSON] = []
        // Each puts the whole at the bottom of itself.
        for power in 0..<12 {
            patch.append(["op": "copy", "from": "/a", "path": .string("/a" + String(repeating: "/a", count: 1 << power))])
        }
        #expect(try error(.array(patch), ["a": ["b": 1]]).message.contains("exceeded max depth"))
    }

    @Test("a large list that is changed again and again is stopped")
    func work() throws {
        let list = JSON.array(Array(repeating: 0, count: 50_000))
        #expect(try error(.array(Array(repeating: ["op": "add", "path": "/a/0", "value": 1], count: 5000)), ["a": list]).code == 413)
    }

    @Test("of members that stand twice the first hundred are told of")
    func duplicates() throws {
        var duplicates: [String] = []
        let text = "{" + (0..<600).map { "\"k\($0 % 200)\":\($0)" }.joined(separator: ",") + "}"
        let json = try JSON(parsing: Array(text.utf8), duplicates: &duplicates)
        #expect(duplicates.count == 100 && duplicates.first == "k0")
        #expect(json["k7"].int == 407 && json.object?.count == 200)
    }

    @Test("an object's members are changed by hash as they are one by one", arguments: [3, 40, 400])
    func members(_ size: Int) {
        var random = SystemRandomNumberGenerator()
        var plain = JSONObject(), members = JSONMembers()
        for step in 0..<size * 8 {
            let key = "k\(Int.random(in: 0..<size, using: &random))"
            let value: JSON? = Int.random(in: 0..<3, using: &random) == 0 ? nil : .int(step)
            plain[key] = value
            members[key] = value
            #expect(members[key] == plain[key])
        }
        #expect(members.object.keys == plain.keys && members.object == plain)
        #expect(JSONMembers(plain).object == plain)
    }
}
