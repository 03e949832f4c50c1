import API
import Controllers
import Model
import Synchronization
import Testing

@Suite("The API's own Service")
struct KubernetesServiceTests {
    private static let key = KubernetesService.key
    private static let kinds: [Resource] = [.services, .endpointSlices, .endpoints]
    private static let publicIP = IPAddress(ipv4: 0xC0A8_C80A)
    private let api: APIServer
    private let clock = ManualClock()
    private let reports = Reports()

    private final class Reports: Sendable {
        let all = Mutex<[String]>([])
    }

    init() async throws { api = try await Fixture.api() }

    private func service(_ client: any Client) -> KubernetesService {
        KubernetesService(
            publicIP: Self.publicIP, serviceIP: Cluster().kubernetesServiceIP, client: client, clock: clock,
            report: { [reports] text in reports.all.withLock { $0.append(text) } })
    }

    /// Runs `body` while the Service is kept, beginning when it waits.
    private func keeping(_ client: (any Client)? = nil, _ body: () async throws -> Void) async throws {
        let service = service(client ?? api)
        try await service.reconcile()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await eventually("it waits") { clock.sleepers == 1 }
            try await body()
            group.cancelAll()
        }
    }

    /// Lets `seconds` pass, to the next wait.
    private func pass(_ seconds: Int) async throws {
        clock.pass(.seconds(seconds))
        try await eventually("it waits again") { clock.sleepers == 1 }
    }

    private func isWhole() async throws -> Bool {
        guard let service = try await api.find(.services, Self.key), let slice = try await api.find(.endpointSlices, Self.key),
            let endpoints = try await api.find(.endpoints, Self.key)
        else { return false }
        let address = JSON.string("\(Self.publicIP)")
        return service["spec"]["clusterIP"].string == "\(Cluster().kubernetesServiceIP)"
            && service["spec"]["ports"][0]["targetPort"].int == 6443
            && slice["endpoints"].items.map { $0["addresses"] } == [[address]] && slice["ports"][0]["port"].int == 6443
            && slice["metadata"]["labels"] == ["kubernetes.io/service-name": "kubernetes"]
            && endpoints["subsets"].items.map { $0["addresses"] } == [[["ip": address]]]
            && endpoints["subsets"][0]["ports"][0]["port"].int == 6443
    }

    @Test("whatever of it was deleted is there again within ten seconds, at its address", arguments: kinds)
    func deleted(_ kind: Resource) async throws {
        try await keeping {
            #expect(try await isWhole())
            try await api.delete(kind, Self.key)
            try await pass(9)
            #expect(try await api.find(kind, Self.key) == nil, "it looks every ten seconds")
            try await pass(1)
            #expect(try await isWhole())
        }
        #expect(reports.all.withLock { $0 }.isEmpty)
    }

    @Test("where it leads is put right; what its owner made of the Service, and of the ports, stays")
    func changed() async throws {
        try await keeping {
            var slice = try await api.get(.endpointSlices, Self.key)
            slice["endpoints"] = [["addresses": ["10.244.1.66"]], ["addresses": ["10.244.1.67"]]]
            slice["metadata"]["labels"] = ["kubernetes.io/service-name": "other"]
            _ = try await api.update(.endpointSlices, slice)
            var endpoints = try await api.get(.endpoints, Self.key)
            endpoints["subsets"] = [["addresses": [["ip": "10.244.1.66"]], "ports": [["name": "https", "port": 6443]]]]
            _ = try await api.update(.endpoints, endpoints)
            var service = try await api.get(.services, Self.key)
            service["metadata"]["annotations"] = ["note": "mine"]
            _ = try await api.update(.services, service)
            #expect(try await !isWhole())
            try await pass(10)
            #expect(try await isWhole())
            #expect(try await api.get(.services, Self.key)["metadata"]["annotations"]["note"].string == "mine")
        }
    }

    @Test("what is right is not written, and an API that fails is asked again")
    func steady() async throws {
        let client = TroubledClient(api)
        try await keeping(client) {
            let revision = await api.store.revision
            try await pass(10)
            #expect(await api.store.revision == revision)
            try await api.delete(.services, Self.key)
            client.refuseGets(1)
            try await pass(10)
            #expect(try await !isWhole())
            #expect(reports.all.withLock { $0 }.count == 1)
            try await pass(10)
            #expect(try await isWhole())
        }
    }
}
