import API
import Model
import Store

/// Where bytes of strangers come into the API. Each refuses them or makes sense of them; what it says of itself is checked.
enum EntryPoint: UInt8, CaseIterable {
    case json, yaml, protobuf, jsonPatch, strategicPatch, spdy, request

    /// A pod to patch, and to decode against.
    private static let pod: JSON = [
        "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "a", "namespace": "default", "labels": ["app": "web"]],
        "spec": [
            "containers": [["name": "main", "image": "httpd", "ports": [["containerPort": 80, "protocol": "TCP"]]]], "tolerations": [],
        ],
    ]
    private static let kind = Registry.kind(apiVersion: "v1", kind: "Pod")
    private static let router: Router? = {
        guard let store = try? ObjectStore() else { return nil }
        return Router(api: APIServer(store: store, cluster: Cluster()), nodes: NoNodes())
    }()

    func take(_ bytes: [UInt8]) async {
        guard let kind = Self.kind, case .object(let type) = kind.schema else { return }
        switch self {
        case .json:
            guard let json = try? JSON(parsing: bytes) else { return }
            // 2.5e3 may come back as 2500, which prints the same.
            Self.expect((try? JSON(parsing: json.bytes()))?.bytes() == json.bytes(), "what parses prints as what it was: \(json)")
        case .yaml: _ = try? Manifest.read(String(decoding: bytes, as: UTF8.self), file: "fuzz.yaml")
        case .protobuf:
            guard let envelope = try? ProtobufDecoder.envelope(bytes) else { return }
            _ = try? ProtobufDecoder.decode(envelope.raw, type)
        case .jsonPatch: Self.expectSense { try JSONPatch.apply(try JSON(parsing: bytes), to: Self.pod) }
        case .strategicPatch: Self.expectSense { try StrategicMergePatch.apply(try JSON(parsing: bytes), to: Self.pod, kind.schema) }
        case .spdy:
            var session = SPDYSession()
            _ = try? session.receive(bytes)
        case .request: await Self.ask(bytes)
        }
    }

    /// Ends the program with its reason, which libFuzzer takes for a finding.
    private static func expect(_ holds: Bool, _ words: @autoclosure () -> String) { if !holds { fatalError(words()) } }

    private static func expectSense(_ apply: () throws -> JSON) {
        do { _ = try apply() } catch let error as StatusError { expect((400..<500).contains(error.code), "\(error.code) \(error)") } catch {
        }
    }

    /// `METHOD TARGET CONTENT-TYPE`, a line, then the body.
    private static func ask(_ bytes: [UInt8]) async {
        guard let router else { return }
        let lines = bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        let words = String(decoding: lines[0], as: UTF8.self).split(separator: " ", maxSplits: 2).map(String.init)
        // A watch has no end.
        guard words.count > 1, !words[1].contains("watch") else { return }
        let request = HTTPRequest(
            method: words[0], target: words[1], contentType: words.count > 2 ? words[2] : "", body: lines.count > 1 ? Array(lines[1]) : [])
        if case .json(let body, let code) = await router.respond(request), code >= 400 {
            expect(body["kind"].string == "Status" && code != 500, "\(request.method) \(request.rawPath): \(code) \(body)")
        }
    }
}

private struct NoNodes: NodeDirectory, NodeServices {
    func logs(_ pod: Pod, container: String, _ options: LogOptions) async throws -> ByteSource { { _ in } }
    func connect(_ pod: Pod, _ request: StreamRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws {}
    func dial(_ pod: Pod, port: Int) async throws -> Int32 { throw StatusError(501, .notImplemented, "no network to dial in") }
    func dial(_ address: IPAddress, port: Int) async throws -> Int32 { throw StatusError(501, .notImplemented, "no network to dial in") }
    func usage() async throws -> NodeUsage { NodeUsage(node: NodeUsage.Amount(cpu: 0, memory: 0), pods: [:]) }
    func services(of node: String) -> (any NodeServices)? { self }
    var controlPlane: any NodeServices { self }
}
