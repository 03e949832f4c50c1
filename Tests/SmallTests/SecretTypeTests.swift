import API
import Model
import Store
import Testing

@Suite("Secrets of types that are known")
struct SecretTypeTests {
    private func refusal(_ type: String, _ data: [String: String]) async throws -> [String] {
        let api = APIServer(store: try ObjectStore(), cluster: Cluster())
        _ = try await api.create(.namespaces, ["metadata": ["name": "default"]])
        let secret: JSON = [
            "metadata": ["name": "s", "namespace": "default"], "type": .string(type),
            "data": JSON(data.mapValues { Base64.encode(Array($0.utf8)) }),
        ]
        do { _ = try await api.create(.secrets, secret) } catch let error as StatusError {
            return error.causes.map { "\($0.field): \($0.message)" }
        }
        return []
    }

    @Test(
        "hold what their type says",
        arguments: [
            ("kubernetes.io/dockerconfigjson", [".dockerconfigjson": "{\"auths\": {}}"]), ("kubernetes.io/dockercfg", [".dockercfg": "{}"]),
            ("kubernetes.io/basic-auth", ["username": "a"]), ("kubernetes.io/basic-auth", ["password": ""]),
            ("kubernetes.io/ssh-auth", ["ssh-privatekey": "k"]), ("kubernetes.io/tls", ["tls.crt": "", "tls.key": ""]), ("Opaque", [:]),
            ("own.example/dockercfg", [:]),
        ])
    func taken(_ type: String, _ data: [String: String]) async throws { #expect(try await refusal(type, data) == []) }

    @Test(
        "are refused where they do not, as upstream's validation words it",
        arguments: [
            ("kubernetes.io/dockerconfigjson", ["x": "{}"], ["data[.dockerconfigjson]: Required value"]),
            ("kubernetes.io/dockercfg", [:], ["data[.dockercfg]: Required value"]),
            (
                "kubernetes.io/dockerconfigjson", [".dockerconfigjson": "[1,2]"],
                [
                    "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": json: cannot unmarshal array into Go value of type map[string]interface {}"
                ]
            ),
            ("kubernetes.io/basic-auth", [:], ["data[username]: Required value", "data[password]: Required value"]),
            ("kubernetes.io/ssh-auth", ["ssh-privatekey": ""], ["data[ssh-privatekey]: Required value"]),
            ("kubernetes.io/tls", ["tls.crt": "c"], ["data[tls.key]: Required value"]),
        ])
    func refused(_ type: String, _ data: [String: String], _ words: [String]) async throws {
        #expect(try await refusal(type, data) == words)
    }

    @Test("what is no JSON is not told, but that it is none")
    func redacted() async throws {
        let words = try await refusal("kubernetes.io/dockercfg", [".dockercfg": "open sesame"])
        #expect(words.count == 1 && words[0].hasPrefix("data[.dockercfg]: Invalid value: \"<secret contents redacted>\": "))
        #expect(!words[0].contains("sesame"))
    }
}
