import API
import Model
import PolicyCases
import Testing

private let podType: ObjectSchema? = if case .object(let type)? = Registry.kind(apiVersion: "v1", kind: "Pod")?.schema { type } else { nil }

/// A pod with a field of every shape that the wire knows.
private let pod: JSON = [
    "apiVersion": "v1", "kind": "Pod",
    "metadata": ["name": "a", "labels": ["app": "web"], "creationTimestamp": "2026-11-23T10:00:00Z", "deletionGracePeriodSeconds": 0],
    "spec": [
        "volumes": [["name": "v", "configMap": ["name": "c", "defaultMode": 420]]],
        "containers": [
            [
                "name": "main", "image": "httpd", "ports": [["containerPort": 80, "protocol": "TCP"]],
                "resources": ["limits": ["cpu": "100m"]],
                "readinessProbe": ["httpGet": ["path": "/", "port": "http", "scheme": "HTTP"], "periodSeconds": 10],
                "livenessProbe": ["tcpSocket": ["port": 80]],
            ]
        ],
        "hostNetwork": true, "priority": -5,
    ],
]

@Suite("the protobuf form of objects")
struct ProtobufTests {
    @Test("what is written reads back the same")
    func roundTrip() throws {
        let type = try #require(podType)
        let (apiVersion, kind, raw) = try ProtobufDecoder.envelope(ProtobufEncoder.object(pod, type))
        #expect(apiVersion == "v1" && kind == "Pod")
        var expected = pod
        expected["apiVersion"] = .null
        expected["kind"] = .null
        #expect(try ProtobufDecoder.decode(raw, type) == expected)
    }

    @Test("a Namespace as kubectl sends it")
    func kubectl() throws {
        // kubectl create namespace demo, version 1.32: magic, type, then metadata, spec and status, all of Go's empty strings included.
        let metadata: [UInt8] = [0x0A, 4] + Array("demo".utf8) + [0x12, 0, 0x1A, 0, 0x22, 0, 0x2A, 0, 0x32, 0, 0x38, 0, 0x42, 0]
        let raw: [UInt8] = [0x0A, UInt8(metadata.count)] + metadata + [0x12, 0, 0x1A, 2, 0x0A, 0]
        let bytes =
            ProtobufDecoder.magic + [0x0A, 15, 0x0A, 2] + Array("v1".utf8) + [0x12, 9] + Array("Namespace".utf8) + [0x12, UInt8(raw.count)]
            + raw
        let (apiVersion, kind, body) = try ProtobufDecoder.envelope(bytes)
        #expect(apiVersion == "v1" && kind == "Namespace")
        let definition = try #require(Registry.kind(apiVersion: apiVersion, kind: kind))
        guard case .object(let type) = definition.schema else { return }
        var findings = SchemaFindings()
        let decoded = definition.schema.decode(try ProtobufDecoder.decode(body, type), &findings)
        #expect(decoded["metadata"] == ["name": "demo"], "what Go sends empty is not there")
        #expect(findings.unknown.isEmpty && findings.mistyped.isEmpty)
    }
}

@Suite("hostile bytes")
struct FuzzTests {
    private static func mutate(_ seed: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = seed
        for _ in 0...Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &random) }
            case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            case 2: if place < bytes.count { bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &random))) }
            case 3: bytes.insert(contentsOf: bytes.suffix(Int.random(in: 0...min(40, bytes.count), using: &random)), at: place)
            default: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
            }
        }
        return bytes
    }

    @Test("JSON that parses, damaged or not, prints as what it was")
    func json() throws {
        var random = SplitMix64(seed: 1)
        let seed = pod.bytes()
        var parsed = 0
        for _ in 0..<4000 {
            guard let json = try? JSON(parsing: Self.mutate(seed, &random)) else { continue }
            parsed += 1
            #expect(try JSON(parsing: json.bytes()) == json)
        }
        #expect(parsed > 100, "damage leaves something to read")
    }

    @Test("damaged protobuf is refused or read, and never more than that")
    func protobuf() throws {
        var random = SplitMix64(seed: 2)
        let type = try #require(podType)
        let seed = ProtobufEncoder.object(pod, type)
        var outcomes = Set<Bool>()
        for _ in 0..<4000 {
            let bytes = Self.mutate(seed, &random)
            do {
                _ = try ProtobufDecoder.decode(try ProtobufDecoder.envelope(bytes).raw, type)
                outcomes.insert(true)
            } catch { outcomes.insert(false) }
        }
        #expect(outcomes == [true, false])
    }

    @Test("damaged patches leave an object or an error that has a code")
    func patches() throws {
        var random = SplitMix64(seed: 3)
        let kind = try #require(Registry.kind(apiVersion: "v1", kind: "Pod"))
        let operations: JSON = [
            ["op": "add", "path": "/spec/containers/0/image", "value": "x"],
            ["op": "move", "from": "/metadata/labels", "path": "/metadata/annotations"],
        ]
        let strategic: JSON = [
            "spec": ["$setElementOrder/containers": [["name": "main"]], "containers": [["name": "main", "$patch": "replace"]]]
        ]
        for _ in 0..<3000 {
            if let patch = try? JSON(parsing: Self.mutate(operations.bytes(), &random)) {
                Self.expectSense { try JSONPatch.apply(patch, to: pod) }
            }
            if let patch = try? JSON(parsing: Self.mutate(strategic.bytes(), &random)) {
                Self.expectSense { try StrategicMergePatch.apply(patch, to: pod, kind.schema) }
            }
        }
    }

    private static func expectSense(_ apply: () throws -> JSON) {
        do { _ = try apply() } catch let error as StatusError { #expect((400..<500).contains(error.code)) } catch {
            Issue.record("\(error)")
        }
    }

    @Test("a damaged SPDY stream is refused or understood")
    func spdy() throws {
        var random = SplitMix64(seed: 4)
        let seed: [UInt8] =
            [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1] + [0, 0, 0, 1, 1, 0, 0, 3, 0x61, 0x62, 0x63] + [
                0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0,
            ]
        var understood = 0
        for _ in 0..<3000 {
            var session = SPDYSession()
            do { understood += try session.receive(Self.mutate(seed, &random)).count } catch {}
        }
        #expect(understood > 1000)
    }

    @Test("whatever is asked, the router answers as HTTP")
    func requests() async throws {
        var random = SplitMix64(seed: 5)
        let router = Router(api: try await Fixture.api(), nodes: ScriptedNodes(), now: { Fixture.time })
        let targets = [
            "/api/v1/namespaces/default/pods?limit=1&continue=abc", "/apis/apps/v1/namespaces/default/deployments/web/scale",
            "/api/v1/namespaces/default/pods/x/log?tailLines=1",
            "/openapi/v3/apis/apps/v1?hash=x", "/apis", "/api/v1/pods?fieldSelector=metadata.name%3Dx&labelSelector=a%20in%20(b)",
        ]
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
        let types = [
            "application/json", "application/merge-patch+json", "application/apply-patch+yaml", "application/vnd.kubernetes.protobuf",
            "text/html",
        ]
        for _ in 0..<2000 {
            let target = String(decoding: Self.mutate(Array((targets.randomElement(using: &random) ?? "/").utf8), &random), as: UTF8.self)
            if target.contains("watch") { continue }
            let request = HTTPRequest(
                method: methods.randomElement(using: &random) ?? "GET", target: target,
                contentType: types.randomElement(using: &random) ?? "",
                body: Bool.random(using: &random) ? Self.mutate(pod.bytes(), &random) : [])
            if case .json(let body, let code) = await router.respond(request), code >= 400 {
                #expect(body["kind"].string == "Status" && code != 500, "\(request.method) \(target): \(code) \(body)")
            }
        }
    }
}
