import API
import Model
import Testing

@Suite("Services: what they may say of their ways in from outside")
struct ServiceExternalTests {
    private func service(_ type: String, _ fields: JSON) -> JSON {
        var service = Fixture.service("a", type: type)
        for (field, value) in fields.object ?? JSONObject() { service["spec"][field] = value }
        return service
    }

    private func complaint(_ call: () async throws -> Void) async -> String {
        do { try await call() } catch let error as StatusError { return error.message } catch { return "\(error)" }
        return "no complaint"
    }

    @Test(
        "bad input is told in Kubernetes' words",
        arguments: [
            (
                "LoadBalancer", ["loadBalancerSourceRanges": ["10.0.0.0/33"]],
                "spec.LoadBalancerSourceRanges[0]: Invalid value: \"10.0.0.0/33\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ),
            (
                "ClusterIP", ["loadBalancerSourceRanges": ["10.0.0.0/8"]],
                "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"
            ),
            (
                "ClusterIP", ["externalIPs": ["256.0.0.1"]],
                "spec.externalIPs[0]: Invalid value: \"256.0.0.1\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ),
            (
                "ClusterIP", ["externalIPs": ["127.0.0.1"]],
                "spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)"
            ),
            (
                "NodePort", ["allocateLoadBalancerNodePorts": false],
                "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"
            ),
            (
                "NodePort", ["loadBalancerClass": "a.b/c"],
                "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"
            ),
            (
                "ClusterIP", ["externalTrafficPolicy": "Local"],
                "spec.externalTrafficPolicy: Invalid value: \"Local\": may only be set for externally-accessible services"
            ),
            (
                "LoadBalancer", ["healthCheckNodePort": 31000],
                "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            ),
            (
                "ClusterIP", ["trafficDistribution": "PreferFar"],
                "spec.trafficDistribution: Unsupported value: \"PreferFar\": supported values: \"PreferClose\", \"PreferSameNode\", \"PreferSameZone\""
            ),
            ("ExternalName", ["externalName": "no_name"], "spec.externalName: Invalid value: \"no_name\": a lowercase RFC 1123 subdomain"),
        ] as [(String, JSON, String)])
    func refused(_ type: String, _ fields: JSON, _ words: String) async throws {
        let api = try await Fixture.api()
        let message = await complaint { _ = try await api.create(.services, service(type, fields)) }
        #expect(message.contains(words), "\(message)")
    }

    @Test("a load balancer of policy Local gets a health check's port, keeps it, and gives it back")
    func healthCheckPort() async throws {
        let api = try await Fixture.api(), local = service("LoadBalancer", ["externalTrafficPolicy": "Local"])
        let made = try await api.create(.services, local)["spec"]["healthCheckNodePort"]
        let port = try #require(made.int)
        #expect((30000...32767).contains(port))
        #expect(try await api.update(.services, local)["spec"]["healthCheckNodePort"].int == port)
        let other = await complaint {
            _ = try await api.patch(.services, Fixture.key("a"), ["spec": ["healthCheckNodePort": .int(port == 30001 ? 30002 : 30001)]])
        }
        #expect(other.contains("spec.healthCheckNodePort: Forbidden: field is immutable"), "\(other)")
        var second = service("LoadBalancer", ["externalTrafficPolicy": "Local", "healthCheckNodePort": .int(port)])
        second["metadata"]["name"] = "b"
        let taken = await complaint { _ = try await api.create(.services, second) }
        #expect(taken.contains("failed to allocate requested HealthCheck NodePort \(port): provided port is already allocated"), "\(taken)")
        let changed = try await api.patch(.services, Fixture.key("a"), ["spec": ["externalTrafficPolicy": "Cluster"]])["spec"]
        #expect(changed["healthCheckNodePort"].isNull)
        #expect(try await api.create(.services, second)["spec"]["healthCheckNodePort"].int == port)
        let node = Fixture.service("c", type: "NodePort", nodePort: port)
        #expect(await complaint { _ = try await api.create(.services, node) }.contains("provided port is already allocated"))
    }

    @Test("a load balancer has node ports unless it says not, keeps those it has, and gives back those it drops")
    func nodePorts() async throws {
        let api = try await Fixture.api()
        let spec = try await api.create(.services, service("LoadBalancer", .emptyObject))["spec"]
        #expect(spec["allocateLoadBalancerNodePorts"].bool == true && spec["externalTrafficPolicy"].string == "Cluster")
        let port = try #require(spec["ports"][0]["nodePort"].int)
        let kept = try await api.patch(.services, Fixture.key("a"), ["spec": ["allocateLoadBalancerNodePorts": false]])["spec"]
        #expect(kept["ports"][0]["nodePort"].int == port)
        let dropped = try await api.update(.services, service("LoadBalancer", ["allocateLoadBalancerNodePorts": false]))["spec"]
        #expect(dropped["ports"][0]["nodePort"].isNull)
        _ = try await api.create(.services, Fixture.service("b", type: "NodePort", nodePort: port))
    }

    @Test("the class is set once, and goes with the type")
    func loadBalancerClass() async throws {
        let api = try await Fixture.api()
        _ = try await api.create(.services, service("LoadBalancer", ["loadBalancerClass": "a.b/c"]))
        let message = await complaint { _ = try await api.patch(.services, Fixture.key("a"), ["spec": ["loadBalancerClass": "a.b/d"]]) }
        #expect(message.contains("spec.loadBalancerClass: Invalid value: \"a.b/d\": may not change once set"), "\(message)")
        let plain = try await api.patch(.services, Fixture.key("a"), ["spec": ["type": "ClusterIP"]])["spec"]
        #expect(plain["loadBalancerClass"].isNull && plain["allocateLoadBalancerNodePorts"].isNull && plain["externalTrafficPolicy"].isNull)
    }

    @Test("externalIPs make a ClusterIP Service one from outside, and warn on create and update")
    func externalIPs() async throws {
        let api = try await Fixture.api(), kind = try api.definition(.services)
        let object = service("ClusterIP", ["externalIPs": ["203.0.113.5"]]),
            words = "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
        var options = WriteOptions()
        options.fieldManager = "kubectl"
        let made = try await api.create(kind, object, options)
        #expect(made.warnings == [words] && made.object["spec"]["externalTrafficPolicy"].string == "Cluster")
        #expect(try await api.update(kind, object, subresource: nil, options).warnings == [words])
        var headless = service("ClusterIP", ["externalIPs": ["203.0.113.5"], "clusterIP": "None"])
        headless["metadata"]["name"] = "b"
        #expect(try await api.create(kind, headless, options).warnings == ["spec.externalIPs is ignored for headless services"])
        let plain = try await api.patch(.services, Fixture.key("a"), ["spec": ["externalIPs": []]])["spec"]
        #expect(plain["externalTrafficPolicy"].isNull)
    }
}
