import API
import Controllers
import Model
import Store
import Testing

private struct NoAnnouncer: AddressAnnouncer {
    func announce(_ address: IPAddress, from node: String?) async throws {}
}

/// Controllers over a cluster in memory: class `minik`, Services a (TCP 80, 53 by UDP) and b (TCP 80) with an endpoint each.
private struct Gated {
    let api: APIServer
    let cluster: Cluster

    init() async throws {
        var cluster = Cluster()
        cluster.loadBalancerPool = AddressRange("192.168.200.240-192.168.200.241")
        self.cluster = cluster
        api = APIServer(store: try ObjectStore(), cluster: cluster)
        for name in ["default", "other"] { _ = try await api.create(.namespaces, Fixture.namespace(name)) }
        _ = try await api.create(.nodes, Fixture.node("n1"))
        _ = try await api.create(
            .gatewayClasses,
            [
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": ["name": "minik"],
                "spec": ["controllerName": "minik.dev/gateway-controller"],
            ])
        try await service("a", "default", ["10.244.1.2"])
        try await service("b", "default", ["10.244.1.3"])
    }

    func service(_ name: String, _ namespace: String, _ addresses: [String]) async throws {
        let ports: JSON = [["name": "web", "port": 80], ["name": "dns", "port": 53, "protocol": "UDP"]]
        _ = try await api.create(
            .services,
            [
                "apiVersion": "v1", "kind": "Service", "metadata": ["name": .string(name), "namespace": .string(namespace)],
                "spec": ["ports": ports],
            ])
        try await slice(name, namespace, addresses)
    }

    func slice(_ name: String, _ namespace: String, _ addresses: [String]) async throws {
        let slice: JSON = [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": [
                "name": .string("\(name)-1"), "namespace": .string(namespace), "labels": ["kubernetes.io/service-name": .string(name)],
            ],
            "endpoints": .array(addresses.map { ["addresses": [.string($0)], "nodeName": "n1", "conditions": ["ready": true]] }),
            "ports": [["name": "web", "port": 8080, "protocol": "TCP"], ["name": "dns", "port": 5353, "protocol": "UDP"]],
        ]
        do { _ = try await api.create(.endpointSlices, slice) } catch let error as StatusError where error.reason == .alreadyExists {
            _ = try await api.update(.endpointSlices, slice)
        }
    }

    func gateway(_ name: String = "gw", _ listeners: JSON, _ fields: JSON = .emptyObject) async throws {
        var gateway: JSON = [
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": ["gatewayClassName": "minik", "listeners": listeners],
        ]
        for (field, value) in fields.object ?? JSONObject() { gateway["spec"][field] = value }
        _ = try await api.create(.gateways, gateway)
    }

    func route(
        _ name: String, _ backends: JSON, in namespace: String = "default", kind: String = "TCPRoute",
        to parent: JSON = ["name": "gw", "namespace": "default"]
    ) async throws {
        let resource = kind == "TCPRoute" ? Resource.tcpRoutes : .udpRoutes
        _ = try await api.create(
            resource,
            [
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": .string(kind),
                "metadata": ["name": .string(name), "namespace": .string(namespace)],
                "spec": ["parentRefs": [parent], "rules": [["backendRefs": backends]]],
            ])
    }

    func running(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let reconcilers: [any Reconciler] = [
                GatewayClassReconciler(), GatewayReconciler(cluster: cluster),
                LoadBalancerReconciler(cluster: cluster, announcer: NoAnnouncer()),
            ]
            for reconciler in reconcilers {
                group.addTask { [api] in try await Controller(reconciler, client: api, report: { _ in }).run() }
            }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// `True/Accepted`
    private func verdict(_ conditions: JSON, _ type: String) -> String {
        let found = conditions.items.first { $0["type"].string == type }
        return "\(found?["status"].string ?? "")/\(found?["reason"].string ?? "")"
    }

    func expect(_ type: String, _ wanted: String, name: String = "gw") async throws {
        try await eventually("Gateway \(name) is \(type) \(wanted)") {
            verdict(try await api.get(.gateways, Fixture.key(name))["status"]["conditions"], type) == wanted
        }
    }

    func expect(listener: String, _ type: String, _ wanted: String) async throws {
        try await eventually("listener \(listener) is \(type) \(wanted)") {
            let found = try await self.listener(listener)
            return verdict(found["conditions"], type) == wanted
        }
    }

    func listener(_ name: String, of gateway: String = "gw") async throws -> JSON {
        try await api.get(.gateways, Fixture.key(gateway))["status"]["listeners"].items.first { $0["name"].string == name } ?? .null
    }

    func expect(
        route: String, _ type: String, _ wanted: String, _ words: String = "", in namespace: String = "default",
        of resource: Resource = .tcpRoutes
    ) async throws {
        try await eventually("route \(route) is \(type) \(wanted) \(words)") {
            let conditions = try await api.get(resource, ObjectKey(namespace, route))["status"]["parents"][0]["conditions"]
            let message = conditions.items.first { $0["type"].string == type }?["message"].string ?? ""
            return verdict(conditions, type) == wanted && (words.isEmpty || message.contains(words))
        }
    }

    /// The endpoints of the Gateway's Service with their numbers: `10.244.1.2:8080=9`; `-` of such as are refused.
    func shares(of gateway: String = "gw") async throws -> [String] {
        try await api.list(
            .endpointSlices, namespace: "default", selector: LabelSelector(matching: [EndpointSlice.serviceNameLabel: "\(gateway)-minik"])
        )
        .items.map { slice in
            let addresses = slice["endpoints"].items.compactMap { $0["addresses"][0].string }.joined(separator: ",")
            let slots = slice["metadata"]["annotations"][EndpointSlice.slotsAnnotation].string ?? ""
            return addresses.isEmpty ? "-=\(slots)" : "\(addresses):\(slice["ports"][0]["port"].int ?? 0)=\(slots)"
        }.sorted()
    }

    func expect(shares wanted: [String]) async throws {
        try await eventually("shares are \(wanted)") { try await shares() == wanted }
    }
}

private let tcp: JSON = [["name": "tcp", "port": 7000, "protocol": "TCP"]]

@Suite("Controllers: Gateways and their routes", .timeLimit(.minutes(5)))
struct GatewayControl {
    @Test("a Gateway gets a load balancer's address and leads its port by weight; deleted, nothing of it is left")
    func life() async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await cluster.expect("Programmed", "True/Programmed")
            try await cluster.expect("Accepted", "True/Accepted")
            let gateway = try await cluster.api.get(.gateways, Fixture.key("gw"))
            #expect(gateway["status"]["addresses"] == json([["type": "IPAddress", "value": "192.168.200.240"]]))
            let service = try await cluster.api.get(.services, Fixture.key("gw-minik"))
            #expect(service["spec"]["ports"][0]["nodePort"].isNull && service["spec"]["ports"][0]["port"].int == 7000)
            #expect(service["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"].string == "gw")
            #expect(service["metadata"]["ownerReferences"][0]["uid"] == gateway["metadata"]["uid"])

            try await cluster.route("r", [["name": "a", "port": 80, "weight": 9], ["name": "b", "port": 80]])
            try await cluster.expect(route: "r", "Accepted", "True/Accepted")
            try await cluster.expect(route: "r", "ResolvedRefs", "True/ResolvedRefs")
            try await cluster.expect(shares: ["10.244.1.2:8080=9", "10.244.1.3:8080=1"])
            let listener = try await cluster.listener("tcp")
            #expect(listener["attachedRoutes"].int == 1)
            #expect(listener["supportedKinds"] == json([["group": "gateway.networking.k8s.io", "kind": "TCPRoute"]]))
            for (type, wanted) in [
                ("Accepted", "True/Accepted"), ("Programmed", "True/Programmed"), ("ResolvedRefs", "True/ResolvedRefs"),
                ("Conflicted", "False/NoConflicts"),
            ] { try await cluster.expect(listener: "tcp", type, wanted) }

            // Two endpoints of a share have half of its numbers each, and weight 0 has none.
            try await cluster.slice("b", "default", ["10.244.1.3", "10.244.1.4"])
            try await cluster.expect(shares: ["10.244.1.2:8080=18", "10.244.1.3,10.244.1.4:8080=2"])
            _ = try await cluster.api.patch(
                .tcpRoutes, Fixture.key("r"),
                ["spec": ["rules": [["backendRefs": [["name": "a", "port": 80, "weight": 0], ["name": "b", "port": 80]]]]]])
            try await cluster.expect(shares: ["10.244.1.3,10.244.1.4:8080=2"])

            try await cluster.api.delete(.gateways, Fixture.key("gw"))
            try await eventually("the Service has gone") { try await cluster.api.find(.services, Fixture.key("gw-minik")) == nil }
            try await eventually("the route tells of no parent") {
                try await cluster.api.get(.tcpRoutes, Fixture.key("r"))["status"]["parents"].items.isEmpty
            }
        }
    }

    @Test("what nobody serves has its share refused: a Service without endpoints, and one that is not there")
    func refusedShares() async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await cluster.route("r", [["name": "a", "port": 80], ["name": "absent", "port": 80, "weight": 4]])
            try await cluster.expect(route: "r", "ResolvedRefs", "False/BackendNotFound", "Service default/absent is not there")
            try await cluster.expect(route: "r", "Accepted", "True/Accepted")
            try await cluster.expect(shares: ["-=4", "10.244.1.2:8080=1"])
            try await cluster.service("absent", "default", [])
            try await cluster.expect(route: "r", "ResolvedRefs", "True/ResolvedRefs")
            try await cluster.expect(shares: ["-=4", "10.244.1.2:8080=1"])
            try await cluster.slice("absent", "default", ["10.244.1.9"])
            try await cluster.expect(shares: ["10.244.1.2:8080=1", "10.244.1.9:8080=4"])
        }
    }

    @Test(
        "a reference that leads nowhere is told in upstream's word",
        arguments: [
            (["name": "a", "port": 81], "BackendNotFound", "has no port 81"),
            (["name": "a", "port": 53], "UnsupportedProtocol", "is UDP"),
            (["name": "a", "group": "example.org", "kind": "Pool"], "InvalidKind", "Pool.example.org"),
            (["name": "named", "port": 80], "InvalidKind", "ExternalName"),
            (["name": "far", "namespace": "other", "port": 80], "RefNotPermitted", "no ReferenceGrant for TCPRoutes of namespace default"),
        ] as [(JSON, String, String)])
    func unresolved(_ backend: JSON, _ reason: String, _ words: String) async throws {
        let cluster = try await Gated()
        var named = Fixture.service("named", type: "ExternalName")
        named["spec"]["externalName"] = "example.org"
        _ = try await cluster.api.create(.services, named)
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await cluster.route("r", [backend])
            try await cluster.expect(route: "r", "ResolvedRefs", "False/\(reason)", words)
            try await cluster.expect(route: "r", "Accepted", "True/Accepted")
            try await cluster.expect(shares: ["-=1"])
        }
    }

    @Test("a ReferenceGrant opens another namespace's Service, and closes it when it goes")
    func grants() async throws {
        let cluster = try await Gated()
        try await cluster.service("far", "other", ["10.244.1.7"])
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await cluster.route("r", [["name": "far", "namespace": "other", "port": 80]])
            try await cluster.expect(route: "r", "ResolvedRefs", "False/RefNotPermitted")
            _ = try await cluster.api.create(
                .referenceGrants,
                [
                    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
                    "metadata": ["name": "g", "namespace": "other"],
                    "spec": [
                        "from": [["group": "gateway.networking.k8s.io", "kind": "TCPRoute", "namespace": "default"]],
                        "to": [["group": "", "kind": "Service", "name": "far"]],
                    ],
                ])
            try await cluster.expect(route: "r", "ResolvedRefs", "True/ResolvedRefs")
            try await cluster.expect(shares: ["10.244.1.7:8080=1"])
            try await cluster.api.delete(.referenceGrants, ObjectKey("other", "g"))
            try await cluster.expect(shares: ["-=1"])
        }
    }

    @Test("listeners of HTTP are refused, one port of two protocols conflicts, and route kinds that do not fit are named")
    func listeners() async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await cluster.gateway("web", [["name": "web", "port": 80, "protocol": "HTTP"]])
            try await cluster.expect("Accepted", "False/ListenersNotValid", name: "web")
            try await cluster.expect("Programmed", "False/Invalid", name: "web")
            #expect(try await cluster.api.find(.services, Fixture.key("web-minik")) == nil)
            #expect(try await cluster.listener("web", of: "web")["supportedKinds"].items.isEmpty)
            try await cluster.gateway(
                "gw",
                [
                    ["name": "tcp", "port": 7000, "protocol": "TCP"], ["name": "udp", "port": 7000, "protocol": "UDP"],
                    ["name": "web", "port": 80, "protocol": "HTTP"], ["name": "clash", "port": 80, "protocol": "TCP"],
                    [
                        "name": "kinds", "port": 7001, "protocol": "TCP",
                        "allowedRoutes": ["kinds": [["kind": "HTTPRoute"], ["kind": "TCPRoute"]]],
                    ],
                    ["name": "none", "port": 7002, "protocol": "TCP", "allowedRoutes": ["kinds": [["kind": "HTTPRoute"]]]],
                ])
            try await cluster.expect("Accepted", "True/ListenersNotValid")
            try await cluster.expect("Programmed", "True/Programmed")
            for (listener, type, wanted) in [
                ("tcp", "Conflicted", "False/NoConflicts"), ("udp", "Programmed", "True/Programmed"),
                ("web", "Accepted", "False/UnsupportedProtocol"), ("web", "Programmed", "False/Invalid"),
                ("clash", "Conflicted", "True/ProtocolConflict"), ("clash", "Accepted", "False/Invalid"),
                ("kinds", "ResolvedRefs", "False/InvalidRouteKinds"), ("kinds", "Programmed", "True/Programmed"),
                ("none", "ResolvedRefs", "False/InvalidRouteKinds"), ("none", "Programmed", "False/Invalid"),
            ] { try await cluster.expect(listener: listener, type, wanted) }
            #expect(try await cluster.listener("kinds")["supportedKinds"].items.compactMap { $0["kind"].string } == ["TCPRoute"])
            #expect(try await cluster.listener("none")["supportedKinds"].items.isEmpty)
            let ports = try await cluster.api.get(.services, Fixture.key("gw-minik"))["spec"]["ports"].items.compactMap {
                $0["name"].string
            }
            #expect(ports == ["tcp-7000", "udp-7000", "tcp-7001"])
        }
    }

    @Test("a route goes to the listeners that its parentRef names and that let it; of two the older has one")
    func attachment() async throws {
        let cluster = try await Gated(), backends: JSON = [["name": "a", "port": 80]]
        _ = try await cluster.api.patch(.namespaces, ObjectKey("", "other"), ["metadata": ["labels": ["team": "x"]]])
        try await cluster.running {
            try await cluster.gateway(
                "gw",
                [
                    ["name": "same", "port": 1, "protocol": "TCP"],
                    [
                        "name": "chosen", "port": 2, "protocol": "TCP",
                        "allowedRoutes": ["namespaces": ["from": "Selector", "selector": ["matchLabels": ["team": "x"]]]],
                    ],
                    ["name": "nobody", "port": 3, "protocol": "TCP", "allowedRoutes": ["namespaces": ["from": "None"]]],
                    ["name": "udp", "port": 4, "protocol": "UDP", "allowedRoutes": ["namespaces": ["from": "All"]]],
                ])
            func parent(_ fields: JSON) -> JSON {
                var parent = fields
                (parent["name"], parent["namespace"]) = ("gw", "default")
                return parent
            }
            try await cluster.route("nowhere", backends, to: parent(["sectionName": "absent"]))
            try await cluster.expect(route: "nowhere", "Accepted", "False/NoMatchingParent", "listener of name absent")
            try await cluster.route("port", backends, to: parent(["sectionName": "same", "port": 9]))
            try await cluster.expect(route: "port", "Accepted", "False/NoMatchingParent", "name same and port 9")
            try await cluster.route("foreign", backends, in: "other", to: parent(["sectionName": "same"]))
            try await cluster.expect(route: "foreign", "Accepted", "False/NotAllowedByListeners", in: "other")
            try await cluster.route("shut", backends, to: parent(["port": 3]))
            try await cluster.expect(route: "shut", "Accepted", "False/NotAllowedByListeners")
            try await cluster.route("kind", backends, to: parent(["sectionName": "udp"]))
            try await cluster.expect(route: "kind", "Accepted", "False/NotAllowedByListeners", "takes a TCPRoute")
            try await cluster.route("chosen", backends, in: "other", to: parent(["sectionName": "chosen"]))
            try await cluster.expect(route: "chosen", "Accepted", "True/Accepted", in: "other")
            try await cluster.route("udp", [["name": "a", "port": 53]], kind: "UDPRoute", to: parent([:]))
            try await cluster.expect(route: "udp", "Accepted", "True/Accepted", of: .udpRoutes)
            try await cluster.route("first", backends, to: parent(["sectionName": "same"]))
            try await cluster.expect(route: "first", "Accepted", "True/Accepted")
            try await cluster.route("second", backends, to: parent(["sectionName": "same"]))
            try await cluster.expect(route: "second", "Accepted", "False/Conflicted", "TCPRoute default/first is older")
            try await eventually("one route is attached") { try await cluster.listener("same")["attachedRoutes"].int == 1 }
            try await cluster.api.delete(.tcpRoutes, Fixture.key("first"))
            try await cluster.expect(route: "second", "Accepted", "True/Accepted")
        }
    }

    @Test("an address that is asked for is had, or told why not; another type, and parameters, are not accepted")
    func addresses() async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await cluster.gateway("gw", tcp, ["addresses": [["type": "IPAddress", "value": "192.168.200.241"]]])
            try await cluster.expect("Programmed", "True/Programmed")
            try await cluster.gateway("second", tcp, ["addresses": [["value": "192.168.200.241"]]])
            try await cluster.expect("Programmed", "False/AddressNotUsable", name: "second")
            try await cluster.gateway("third", tcp)
            try await cluster.expect("Programmed", "True/Programmed", name: "third")
            try await cluster.gateway("fourth", tcp)
            try await cluster.expect("Programmed", "False/AddressNotAssigned", name: "fourth")
            try await cluster.gateway("named", tcp, ["addresses": [["type": "Hostname", "value": "a.example"]]])
            try await cluster.expect("Accepted", "False/UnsupportedAddress", name: "named")
            try await cluster.gateway("tuned", tcp, ["infrastructure": ["parametersRef": ["group": "", "kind": "ConfigMap", "name": "x"]]])
            try await cluster.expect("Accepted", "False/InvalidParameters", name: "tuned")
            // Who waits for whatever comes would take it, too.
            try await cluster.api.delete(.gateways, Fixture.key("fourth"))
            try await eventually("the Service has gone") { try await cluster.api.find(.services, Fixture.key("fourth-minik")) == nil }
            try await cluster.api.delete(.gateways, Fixture.key("gw"))
            try await cluster.expect("Programmed", "True/Programmed", name: "second")
        }
    }

    @Test("a write that the API refuses, and a Service of that name that is somebody else's, are told in the status")
    func refusals() async throws {
        let cluster = try await Gated()
        _ = try await cluster.api.create(.services, Fixture.service("taken-minik"))
        _ = try await cluster.api.create(
            .resourceQuotas,
            [
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "few", "namespace": "default"],
                "spec": ["hard": ["services.loadbalancers": "0"]],
                "status": ["hard": ["services.loadbalancers": "0"], "used": ["services.loadbalancers": "0"]],
            ])
        try await cluster.running {
            try await cluster.gateway("taken", tcp)
            try await cluster.expect("Programmed", "False/NoResources", name: "taken")
            try await cluster.gateway("gw", tcp)
            try await cluster.expect("Programmed", "False/NoResources")
            try await cluster.expect(listener: "tcp", "Programmed", "False/Pending")
        }
    }

    @Test("Gateways of another class wait for another controller, and one that turns to it leaves nothing behind")
    func classes() async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await eventually("the class is accepted") {
                try await cluster.api.get(.gatewayClasses, ObjectKey("", "minik"))["status"]["conditions"].condition("Accepted") == "True"
            }
            try await cluster.gateway("gw", tcp)
            try await cluster.expect("Programmed", "True/Programmed")
            try await cluster.gateway("other", tcp, ["gatewayClassName": "nginx"])
            try await cluster.expect("Accepted", "Unknown/Pending", name: "other")
            _ = try await cluster.api.patch(.gateways, Fixture.key("gw"), ["spec": ["gatewayClassName": "nginx"]])
            try await eventually("the Service has gone") { try await cluster.api.find(.services, Fixture.key("gw-minik")) == nil }
            for type in ["Accepted", "Programmed"] { try await cluster.expect(type, "Unknown/Pending") }
            #expect(try await cluster.api.get(.gateways, Fixture.key("gw"))["status"]["addresses"].isNull)
        }
    }

    @Test("a class that Gateways have is kept until the last of them has gone")
    func keptClass() async throws {
        let cluster = try await Gated(), key = ObjectKey("", "minik")
        func finalizers() async throws -> JSON? { try await cluster.api.find(.gatewayClasses, key).map { $0["metadata"]["finalizers"] } }
        let own: JSON = ["gateway-exists-finalizer.gateway.networking.k8s.io"]
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await eventually("the class is held") { try await finalizers() == own }
            try await cluster.api.delete(.gatewayClasses, key)
            #expect(try await finalizers() == own)
            try await cluster.api.delete(.gateways, Fixture.key("gw"))
            try await eventually("it has gone, too") { try await finalizers() == nil }
        }
    }

    @Test(
        "whatever somebody changes of a Gateway's Service is changed back",
        arguments: [
            ["type": "ClusterIP"], ["type": "NodePort"], ["selector": ["app": "x"]], ["externalTrafficPolicy": "Local"],
            ["internalTrafficPolicy": "Local"], ["loadBalancerSourceRanges": ["192.0.2.0/24"]], ["sessionAffinity": "ClientIP"],
            ["externalIPs": ["192.0.2.1"]], ["allocateLoadBalancerNodePorts": true],
            ["ports": [["name": "tcp-7000", "port": 7000, "nodePort": 30123, "protocol": "TCP"]]],
        ] as [JSON])
    func mended(_ change: JSON) async throws {
        let cluster = try await Gated()
        try await cluster.running {
            try await cluster.gateway("gw", tcp)
            try await cluster.expect("Programmed", "True/Programmed")
            func spec() async throws -> JSON {
                var spec = try await cluster.api.get(.services, Fixture.key("gw-minik"))["spec"]
                for field in ["clusterIP", "clusterIPs"] { spec[field] = .null }
                return spec
            }
            let before = try await spec()
            _ = try await cluster.api.patch(.services, Fixture.key("gw-minik"), ["spec": change])
            try await eventually("it is as it was") { try await spec() == before }
            try await cluster.expect("Programmed", "True/Programmed")
        }
    }
}
