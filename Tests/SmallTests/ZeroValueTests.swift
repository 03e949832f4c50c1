import API
import Model
import PolicyCases
import Testing

/// Objects at random, and the same as a Go client's types would write them: with `""`, 0 and false where nobody set anything.
private struct RandomObject {
    var random: SplitMix64

    mutating func value(_ schema: Schema, depth: Int = 0) -> JSON {
        switch schema {
        case .string(let choices): .string(choices.filter { !$0.isEmpty }.randomElement(using: &random) ?? "x")
        case .int, .int64: .int(Int.random(in: 1...9, using: &random))
        case .bool: true
        case .number: .double(1.5)
        case .time(let micro): .string(micro ? "2026-11-23T10:00:00.000001Z" : "2026-11-23T10:00:00Z")
        case .bytes: "YQ=="
        case .intOrString: Bool.random(using: &random) ? "http" : 80
        case .quantity: "2"
        case .any: ["a": 1]
        case .jsonSchema: object(Schema.schemaMembers, depth + 1)
        case .map(let element): ["k": value(element, depth: depth + 1)]
        case .list(let element, _): [value(element, depth: depth + 1)]
        case .object(let type): object(type, depth)
        }
    }

    private mutating func object(_ type: ObjectSchema, _ depth: Int) -> JSON {
        var result = JSON.emptyObject
        for field in type.fields where field.number > 0 && depth < 7 && Int.random(in: 0..<5, using: &random) < 2 {
            result[field.name] = value(field.schema, depth: depth + 1)
        }
        return result
    }

    mutating func zeroed(_ json: JSON, _ schema: Schema) -> JSON {
        switch schema {
        case .map(let element):
            var result = JSON.emptyObject
            for (key, value) in json.object ?? JSONObject() { result[key] = zeroed(value, element) }
            return result
        case .list(let element, _): return .array(json.items.map { zeroed($0, element) })
        case .object(let type):
            var result = json
            for field in type.fields where field.number > 0 {
                if !json[field.name].isNull {
                    result[field.name] = zeroed(json[field.name], field.schema)
                } else if !field.keepsZero {
                    result[field.name] = zero(field.schema)
                }
            }
            return result
        default: return json
        }
    }

    private mutating func zero(_ schema: Schema) -> JSON {
        switch schema {
        case .string, .bytes: ""
        case .int, .int64, .number: 0
        case .bool: false
        case .intOrString: Bool.random(using: &random) ? "" : 0
        case .list: []
        case .map: .emptyObject
        case .time, .quantity, .any, .jsonSchema, .object: .null
        }
    }
}

@Suite("the tables of the API's types")
struct SchemaTableTests {
    @Test("name only types and marks that there are")
    func faults() { #expect(SchemaTable.faults.isEmpty) }
}

@Suite("what typed Go clients write for fields that nobody set")
struct ZeroValueTests {
    private static func decoded(_ json: JSON, _ kind: KindDefinition) -> (JSON, SchemaFindings) {
        var findings = SchemaFindings()
        let result = kind.schema.decode(json, &findings)
        return (result, findings)
    }

    @Test("is as good as nothing, in every kind, as JSON and as protobuf", arguments: Registry.kinds.indices)
    func everyKind(_ index: Int) throws {
        let kind = Registry.kinds[index]
        var objects = RandomObject(random: SplitMix64(seed: UInt64(index + 1)))
        for _ in 0..<60 {
            var plain = objects.value(kind.schema)
            plain["apiVersion"] = .string(kind.resource.apiVersion)
            plain["kind"] = .string(kind.resource.kind)
            let zeroed = objects.zeroed(plain, kind.schema)
            let (expected, findings) = Self.decoded(plain, kind)
            let (fromJSON, jsonFindings) = Self.decoded(zeroed, kind)
            #expect(fromJSON == expected, "\(kind.resource.kind) \(zeroed.text())")
            #expect(jsonFindings.causes == findings.causes)
            guard case .object(let type) = kind.schema, !type.name.isEmpty else { continue }
            let (apiVersion, name, raw) = try ProtobufDecoder.envelope(ProtobufEncoder.object(zeroed, type))
            var wire = try ProtobufDecoder.decode(raw, type)
            wire["apiVersion"] = .string(apiVersion)
            wire["kind"] = .string(name)
            #expect(Self.decoded(wire, kind).0 == expected, "\(kind.resource.kind) \(zeroed.text())")
        }
    }

    @Test("a Service's port leads to the port of the same number when targetPort is 0 or empty", arguments: [JSON.int(0), .string("")])
    func targetPort(_ zero: JSON) async throws {
        var service = Fixture.service("web", port: 8080)
        service["spec"]["ports"] = [["port": 8080, "targetPort": zero]]
        #expect(try await Fixture.api().create(.services, service)["spec"]["ports"][0]["targetPort"] == 8080)
    }

    @Test("what a pointer holds stays zero: no pod may be unavailable")
    func pointers() async throws {
        var deployment = Fixture.deployment("web", replicas: 0)
        deployment["spec"]["strategy"] = ["rollingUpdate": ["maxUnavailable": 0, "maxSurge": 1]]
        let spec = try await Fixture.api().create(.deployments, deployment)["spec"]
        #expect(spec["replicas"] == 0)
        #expect(spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0)
    }

    @Test("an update in protobuf that names no version and no namespace is one that names none")
    func update() async throws {
        let api = try await Fixture.api()
        let router = Router(api: api, nodes: ScriptedNodes(), now: { Fixture.time })
        _ = try await api.create(.configMaps, Fixture.configMap("c", ["a": "1"]))
        var object = Fixture.configMap("c", ["a": "2"])
        for field in ["namespace", "resourceVersion", "uid", "generateName", "selfLink"] { object["metadata"][field] = "" }
        let kind = try #require(Registry.kind(of: .configMaps))
        guard case .object(let type) = kind.schema else { return }
        for (contentType, body) in [
            ("application/json", object.bytes()), ("application/vnd.kubernetes.protobuf", ProtobufEncoder.object(object, type)),
        ] {
            let request = HTTPRequest(
                method: "PUT", target: "/api/v1/namespaces/default/configmaps/c", accept: "", contentType: contentType, body: body)
            guard case .json(let answer, let code) = await router.respond(request) else {
                Issue.record("no answer in JSON")
                return
            }
            #expect(code == 200, "\(answer.text())")
        }
        #expect(try await api.get(.configMaps, Fixture.key("c"))["data"]["a"] == "2")
    }
}
