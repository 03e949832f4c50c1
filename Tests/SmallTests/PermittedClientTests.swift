import API
import Agents
import Model
import Testing

@Suite("A client with the rights of somebody else's manifest")
struct PermittedClientTests {
    /// What a server says to who may list no hosts, and nothing else.
    private struct Strict: Client {
        let api: APIServer

        private func look(_ resource: Resource) throws {
            if resource == .calicoHosts || resource == .calicoPolicies { throw StatusError(403, .forbidden, "cannot list \(resource)") }
        }
        func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
            try look(resource)
            return try await api.list(resource, namespace: namespace, selector: selector)
        }
        func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<
            WatchEvent, any Error
        > {
            try look(resource)
            return try await api.watch(resource, namespace: namespace, from: revision)
        }
        func latest(_ resource: Resource) async throws -> Int {
            try look(resource)
            return try await api.latest(resource)
        }
        func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON { try await api.get(resource, key) }
        func create(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.create(resource, object) }
        func update(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.update(resource, object) }
        func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.updateStatus(resource, object) }
        func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON {
            try await api.patch(resource, key, patch)
        }
        func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
            try await api.delete(resource, key, gracePeriod: gracePeriod, uid: uid)
        }
    }

    @Test("a kind that it may do without is none while it is refused, is said once, and is asked for again after a minute")
    func refused() async throws {
        let clock = ManualClock(), reports = Reports()
        let client = PermittedClient(Strict(api: try await Fixture.api()), without: [.calicoHosts], clock: clock) { reports.add($0) }
        #expect(try await client.list(.calicoHosts, namespace: nil, selector: nil).items.isEmpty)
        #expect(try await client.latest(.calicoHosts) == 0)
        #expect(reports.all.count == 1 && reports.all[0].contains("they are taken for none"), "\(reports.all)")
        await #expect(throws: StatusError.self) { try await client.list(.calicoPolicies, namespace: nil, selector: nil) }
        let events = try await client.watch(.calicoHosts, namespace: nil, from: nil)
        async let ended: Void = { for try await _ in events {} }()
        try await eventually("it waits") { clock.sleepers == 1 }
        clock.pass(.seconds(60))
        try await ended
    }
}
