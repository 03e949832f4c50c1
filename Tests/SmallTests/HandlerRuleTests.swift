import API
import Model
import Testing

/// The refusals are a real control plane's (1.36), word by word.
@Suite("what probes, hooks and tokens of a pod may say")
struct HandlerRuleTests {
    private func refusal(_ pod: JSON) async throws -> String {
        let api = try await Fixture.api()
        do { _ = try await api.create(.pods, pod) } catch let error as StatusError where error.code == 422 {
            return error.causes.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
        }
        return ""
    }

    private func pod(_ change: (inout JSON) -> Void) -> JSON {
        var pod = Fixture.pod("p")
        pod["spec"]["containers"] = .array(
            pod["spec"]["containers"].items.map {
                var container = $0
                change(&container)
                return container
            })
        return pod
    }

    private static let port = "must be between 1 and 65535, inclusive"

    @Test(
        "probes",
        arguments: [
            (["httpGet": ["port": 80]], ""), (["tcpSocket": ["port": "http"]], ""), (["grpc": ["port": 1]], ""),
            (["exec": .emptyObject], "exec.command: Required value"),
            (["httpGet": ["port": 65536]], "httpGet.port: Invalid value: 65536: \(port)"),
            (["tcpSocket": ["port": 70000]], "tcpSocket.port: Invalid value: 70000: \(port)"),
            (["grpc": ["port": -1]], "grpc.port: Invalid value: -1: \(port)"),
            (
                ["httpGet": ["port": 80, "scheme": "ftp"]],
                "httpGet.scheme: Unsupported value: \"ftp\": supported values: \"HTTP\", \"HTTPS\""
            ),
            (
                ["httpGet": ["port": 80, "httpHeaders": [["name": "a b", "value": "c"]]]],
                "httpGet.httpHeaders: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
            ),
            (
                ["tcpSocket": ["port": 80], "terminationGracePeriodSeconds": 0],
                "terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"
            ),
            (["exec": ["command": ["true"]], "httpGet": ["port": 1]], "httpGet: Forbidden: may not specify more than 1 handler type"),
        ] as [(JSON, String)])
    func probes(_ probe: JSON, _ words: String) async throws {
        let said = try await refusal(pod { $0["startupProbe"] = probe })
        #expect(said == (words.isEmpty ? "" : "spec.containers[0].startupProbe.\(words)"))
    }

    @Test(
        "hooks",
        arguments: [
            (["sleep": ["seconds": 30]], ""), ([:], ": Required value: must specify a handler type"),
            (["exec": .emptyObject], ".exec.command: Required value"),
            (["tcpSocket": ["port": 70000]], ".tcpSocket.port: Invalid value: 70000: \(port)"),
            (
                ["sleep": ["seconds": 31]],
                ".sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"
            ),
        ] as [(JSON, String)])
    func hooks(_ hook: JSON, _ words: String) async throws {
        let said = try await refusal(pod { $0["lifecycle"]["preStop"] = hook })
        #expect(said == (words.isEmpty ? "" : "spec.containers[0].lifecycle.preStop\(words)"))
    }

    @Test(
        "a token lives for ten minutes at least",
        arguments: [(600, ""), (599, "less than 10 minutes"), (1 << 33, "larger than 2^32 seconds")])
    func tokens(_ seconds: Int, _ words: String) async throws {
        var pod = Fixture.pod("p")
        pod["spec"]["volumes"] = [
            ["name": "t", "projected": ["sources": [["serviceAccountToken": ["path": "t", "expirationSeconds": .int(seconds)]]]]]
        ]
        let said = try await refusal(pod)
        let field = "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds"
        #expect(said == (words.isEmpty ? "" : "\(field): Invalid value: \(seconds): may not specify a duration \(words)"))
    }

    @Test("null is no element's value: Go's decoder leaves the zero value there")
    func nulls() async throws {
        let api = try await Fixture.api()
        let text = #"{"metadata": {"name": "m", "namespace": "default"}, "data": {"a": null, "b": "c"}}"#
        let map = try await api.create(.configMaps, try JSON(parsing: text))
        #expect(map["data"] == ["a": "", "b": "c"])
        var pod = pod { $0["command"] = ["sh", .null] }
        #expect(try await api.create(.pods, pod)["spec"]["containers"][0]["command"] == ["sh", ""])
        pod["metadata"]["name"] = "q"
        pod["metadata"]["ownerReferences"] = [.null]
        #expect(try await refusal(pod) != "")
    }

    @Test("a warning comes with each write of the intent, and with no other")
    func warnings() async throws {
        let api = try await Fixture.api(), kind = try await api.definition(.deployments)
        let words = ["spec.template.spec.hostUsers: accepted, but minik does not apply it yet"]
        var options = WriteOptions()
        options.fieldManager = "kubectl"
        var object = Fixture.deployment("web")
        object["spec"]["template"]["spec"]["hostUsers"] = false
        let key = ObjectKey("default", "web")
        var config = object
        config["apiVersion"] = "apps/v1"
        config["kind"] = "Deployment"
        let applied = try await api.patch(kind, key, .apply(config), subresource: nil, options)
        #expect(applied.warnings == words)
        let scaled = try await api.patch(kind, key, .merge(["spec": ["replicas": 2]]), subresource: nil, options)
        #expect(scaled.warnings == words)
        let labelled = try await api.patch(kind, key, .merge(["metadata": ["labels": ["a": "b"]]]), subresource: nil, options)
        #expect(labelled.warnings == [])
        var replaced = labelled.object
        replaced["spec"]["replicas"] = 3
        #expect(try await api.update(kind, replaced, subresource: nil, options).warnings == words)
    }
}
