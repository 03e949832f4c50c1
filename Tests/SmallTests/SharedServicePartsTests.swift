import Model
import Proxy
import Rules
import Testing

@Suite("Services that nodes compile together")
struct SharedServicePartsTests {
    private static func node(_ name: String, _ number: UInt32) -> NodeView {
        NodeView(
            name: name, address: IPAddress(ipv4: 0xC0A8_C800 + number), clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
            serviceCIDR: IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16), podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + number << 8), 24))
    }

    private static func service(_ revision: String?, port: Int, local: String = "") -> Service {
        var json: JSON = [
            "metadata": ["name": "web", "namespace": "default", "resourceVersion": JSON(revision)],
            "spec": [
                "type": "NodePort", "clusterIP": "10.1.0.20",
                "ports": [["port": .int(port), "protocol": "TCP", "nodePort": 30080]],
            ],
        ]
        if !local.isEmpty { json["spec"][local] = "Local" }
        return Service(json)
    }

    private static func slice(_ revision: String?, _ ends: [(address: String, node: String)]) -> EndpointSlice {
        EndpointSlice([
            "metadata": [
                "name": "web-1", "namespace": "default", "resourceVersion": JSON(revision),
                "labels": ["kubernetes.io/service-name": "web"],
            ],
            "endpoints": .array(
                ends.map { ["addresses": [.string($0.address)], "conditions": ["ready": true], "nodeName": .string($0.node)] }),
            "ports": [["name": "", "port": 80, "protocol": "TCP"]],
        ])
    }

    @Test(
        "every node has what it would have compiled alone, whatever changes and whichever asks first",
        arguments: ["", "externalTrafficPolicy", "internalTrafficPolicy"])
    func sameAsAlone(_ local: String) {
        let shared = SharedServiceParts(), compilers = [Self.node("n1", 1), Self.node("n2", 2)].map(ServiceCompiler.init)
        let one = [(address: "10.244.1.2", node: "n1")], two = one + [(address: "10.244.2.2", node: "n2")]
        let steps: [(Service, [EndpointSlice])] = [
            (Self.service("1", port: 80, local: local), []), (Self.service("1", port: 80, local: local), [Self.slice("2", one)]),
            (Self.service("1", port: 80, local: local), [Self.slice("3", two)]),
            (Self.service("4", port: 81, local: local), [Self.slice("3", two)]),
            (Self.service("4", port: 81), []), (Self.service("5", port: 81, local: local), [Self.slice("3", two)]),
            // What no store has given a revision may differ without saying so.
            (Self.service(nil, port: 82, local: local), []), (Self.service(nil, port: 83, local: local), [Self.slice(nil, one)]),
            (Self.service("6", port: 83, local: local), [Self.slice(nil, one)]),
            (Self.service("6", port: 83, local: local), [Self.slice(nil, two)]),
        ]
        var before = [Ruleset(), Ruleset()]
        for (number, (service, slices)) in steps.enumerated() {
            for node in number % 2 == 0 ? [0, 1] : [1, 0] {
                let alone = compilers[node].compile(service, slices, after: before[node])
                before[node] = shared.part(service, slices, compilers[node], after: before[node])
                #expect(before[node] == alone, "step \(number)")
            }
        }
    }

    @Test("a Service of another's name is another")
    func forgotten() {
        let shared = SharedServiceParts(), compiler = ServiceCompiler(node: Self.node("n1", 1))
        let first = shared.part(Self.service("1", port: 80), [], compiler, after: Ruleset())
        shared.forget(ObjectKey("default", "web"))
        #expect(shared.part(Self.service("9", port: 90), [], compiler, after: first) != first)
    }
}
