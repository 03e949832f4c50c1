import API
import Model
import Testing

/// The refusals are a real control plane's (1.36), word by word.
@Suite("what endpoints and rollouts may say")
struct EndpointValidationTests {
    private func refusal(_ resource: Resource, _ object: JSON) async throws -> String {
        let api = try await Fixture.api()
        do { _ = try await api.create(resource, object) } catch let error as StatusError where error.code == 422 {
            return error.causes.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
        }
        return ""
    }

    private static let notAddress = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"

    private func slice(_ type: String?, _ addresses: [String]) -> JSON {
        [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": ["name": "s", "namespace": "default"],
            "addressType": JSON(type), "endpoints": [["addresses": .array(addresses.map { .string($0) })]],
        ]
    }

    @Test(
        "addresses of slices",
        arguments: [
            ("IPv4", ["10.0.0.1"], ""), ("IPv4", ["10.0.0.1", "10.0.0.2"], ""), ("IPv6", ["2001:DB8::1"], ""), ("FQDN", ["a.example"], ""),
            (nil, ["10.0.0.1"], "addressType: Required value"),
            ("Bogus", ["127.0.0.1"], "addressType: Unsupported value: \"Bogus\": supported values: \"FQDN\", \"IPv4\", \"IPv6\""),
            ("IPv4", [], "endpoints[0].addresses: Required value: must contain at least 1 address"),
            ("IPv4", ["localhost"], "endpoints[0].addresses[0]: Invalid value: \"localhost\": \(notAddress)"),
            ("IPv4", ["10.0.0.1/24"], "endpoints[0].addresses[0]: Invalid value: \"10.0.0.1/24\": \(notAddress)"),
            ("IPv4", ["010.0.0.1"], "endpoints[0].addresses[0]: Invalid value: \"010.0.0.1\": must not have leading 0s"),
            ("IPv4", ["2001:db8::1"], "endpoints[0].addresses: Invalid value: \"2001:db8::1\": must be an IPv4 address"),
            ("IPv4", ["0.0.0.0"], "endpoints[0].addresses[0]: Invalid value: \"0.0.0.0\": may not be unspecified (0.0.0.0)"),
            (
                "IPv4", ["127.0.0.1"],
                "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"
            ),
            (
                "IPv4", ["169.254.1.1"],
                "endpoints[0].addresses[0]: Invalid value: \"169.254.1.1\": may not be in the link-local range (169.254.0.0/16, fe80::/10)"
            ),
            (
                "IPv6", ["::ffff:10.0.0.1"],
                "endpoints[0].addresses[0]: Invalid value: \"::ffff:10.0.0.1\": must not be an IPv4-mapped IPv6 address"
            ),
        ] as [(String?, [String], String)])
    func sliceAddresses(_ type: String?, _ addresses: [String], _ words: String) async throws {
        let said = try await refusal(.endpointSlices, slice(type, addresses))
        #expect(said == words)
    }

    @Test(
        "ports of slices have names of their own, and known protocols; their numbers are nobody's business",
        arguments: [
            ([["port": 1], ["name": "a", "port": 2_147_483_647]], ""),
            ([["port": 1], ["port": 2]], "ports[1].name: Duplicate value: \"\""),
            (
                [["port": 2, "protocol": "udp"]],
                "ports[0].protocol: Unsupported value: \"udp\": supported values: \"SCTP\", \"TCP\", \"UDP\""
            ),
        ] as [(JSON, String)])
    func slicePorts(_ ports: JSON, _ words: String) async throws {
        var object = slice("IPv4", ["10.0.0.1"])
        object["ports"] = ports
        let said = try await refusal(.endpointSlices, object)
        #expect(said == words)
    }

    @Test(
        "Endpoints",
        arguments: [
            (["addresses": [["ip": "10.0.0.1"]], "ports": [["port": 80]]], ""),
            ([:], "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
            (
                ["addresses": [["ip": "1.2.3"]]],
                "subsets[0].addresses[0].ip: Invalid value: \"1.2.3\": \(notAddress); subsets[0].addresses[0].ip: Invalid value: \"1.2.3\": must be a valid IP address"
            ),
            (
                ["notReadyAddresses": [["ip": "::1"]]],
                "subsets[0].notReadyAddresses[0].ip: Invalid value: \"::1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"
            ),
            (
                ["addresses": [["ip": "10.0.0.1"]], "ports": [["name": "a", "port": 80], ["port": 70000]]],
                "subsets[0].ports[1].name: Required value; subsets[0].ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive"
            ),
        ] as [(JSON, String)])
    func endpoints(_ subset: JSON, _ words: String) async throws {
        let object: JSON = [
            "apiVersion": "v1", "kind": "Endpoints", "metadata": ["name": "e", "namespace": "default"], "subsets": [subset],
        ]
        let said = try await refusal(.endpoints, object)
        #expect(said == words)
    }

    @Test(
        "how far a Deployment's rollout may go",
        arguments: [
            (["maxSurge": 1, "maxUnavailable": 0], ""), (["maxSurge": "200%"], ""),
            (
                ["maxSurge": 0, "maxUnavailable": 0],
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
            ),
            (
                ["maxSurge": "0%", "maxUnavailable": "0%"],
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"
            ),
            (
                ["maxUnavailable": "101%"],
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"
            ),
            (
                ["maxSurge": -1, "maxUnavailable": -1],
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: -1: must be greater than or equal to 0; spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0"
            ),
        ] as [(JSON, String)])
    func deployment(_ rolling: JSON, _ words: String) async throws {
        var object = Fixture.deployment("d")
        object["spec"]["strategy"] = ["type": "RollingUpdate", "rollingUpdate": rolling]
        #expect(try await refusal(.deployments, object) == words)
    }

    @Test("a Deployment's deadline comes after its pods may count as available", arguments: [(0, 0), (10, 10), (5, 10)])
    func deadline(_ deadline: Int, _ ready: Int) async throws {
        var object = Fixture.deployment("d")
        (object["spec"]["progressDeadlineSeconds"], object["spec"]["minReadySeconds"]) = (.int(deadline), .int(ready))
        #expect(
            try await refusal(.deployments, object)
                == "spec.progressDeadlineSeconds: Invalid value: \(deadline): must be greater than minReadySeconds")
    }
}
