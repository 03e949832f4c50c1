import API
import Agents
import Model
import Testing

@Suite("Calico's addresses: blocks of a pool, each of one node, as the API keeps them")
struct CalicoAddressTests {
    private static func range(_ text: String) throws -> IPNetwork { try #require(IPNetwork(text)) }

    /// An API with Calico's kinds and a pool.
    private static func api(_ pool: String, blockSize: Int = 26) async throws -> APIServer {
        let api = try await Fixture.api()
        for kind in [Resource.calicoPools, .calicoBlocks, .calicoAffinities, .calicoHandles] {
            _ = try await api.create(
                .customResourceDefinitions,
                [
                    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                    "metadata": ["name": .string("\(kind.plural).\(kind.group)")],
                    "spec": [
                        "group": .string(kind.group), "scope": "Cluster",
                        "names": ["plural": .string(kind.plural), "kind": .string(kind.kind)],
                        "versions": [
                            [
                                "name": "v1", "served": true, "storage": true,
                                "schema": ["openAPIV3Schema": ["type": "object", "x-kubernetes-preserve-unknown-fields": true]],
                            ]
                        ],
                    ],
                ])
        }
        _ = try await api.create(.calicoPools, Resource.calicoPools.object("pool", ["cidr": .string(pool), "blockSize": .int(blockSize)]))
        return api
    }

    private static func names(_ api: APIServer, _ resource: Resource) async throws -> [String] {
        try await api.list(resource, namespace: nil, selector: nil).items.map(\.metadata.name).sorted()
    }

    @Test("a block gives its addresses in order, one to each who asks, those that came back last, and reads as it was written")
    func block() throws {
        var block = CalicoBlock(try Self.range("10.244.1.64/30"), of: "one")
        #expect(block.name == "10-244-1-64-30")
        let given = ["a", "b", "c", "d", "e"].map { block.assign($0, ["node": "one"])?.description }
        #expect(given == ["10.244.1.64", "10.244.1.65", "10.244.1.66", "10.244.1.67", nil])
        #expect(block.assign("b", [:])?.description == "10.244.1.65", "who has one gets no other")
        block.release("b")
        block.release("nobody")
        #expect(block.addresses(of: "c").map(\.description) == ["10.244.1.66"] && block.handles == ["a", "c", "d"])
        let read = try #require(CalicoBlock(block.json))
        #expect(read.handles == block.handles && read.node == "one" && read.json["spec"] == block.json["spec"])
        #expect(block.assign("e", [:])?.description == "10.244.1.65")
    }

    @Test("a block that is not whole is none: nobody gets an address of it twice")
    func malformed() throws {
        let whole = CalicoBlock(try Self.range("10.244.1.64/30"), of: "one").json
        for (key, value) in [
            ("allocations", [0, .null, .null, .null]), ("allocations", []), ("unallocated", [7]), ("cidr", "10.0.0.0/8"),
            ("affinity", .null),
        ] as [(String, JSON)] {
            var spec = whole
            spec["spec"][key] = value
            #expect(CalicoBlock(spec) == nil, "\(key)")
        }
    }

    @Test("each node takes blocks of its own, and one more when they are full; nodes never share one")
    func nodes() async throws {
        let api = try await Self.api("10.244.0.0/28", blockSize: 30)
        let one = CalicoAddresses(api, node: "one"), two = CalicoAddresses(api, node: "two")
        var given: Set<String> = []
        for number in 0..<6 { given.insert(try await one.assign("net.a\(number)", ["pod": "p"]).description) }
        for number in 0..<6 { given.insert(try await two.assign("net.b\(number)", [:]).description) }
        #expect(given.count == 12)
        let blocks = try await api.list(.calicoBlocks, namespace: nil, selector: nil).items.compactMap { CalicoBlock($0) }
        #expect(blocks.count == 4 && blocks.filter { $0.node == "one" }.count == 2)
        #expect(try await Self.names(api, .calicoAffinities).count == 4)
        #expect(try await Self.names(api, .calicoHandles).count == 12)
        for number in 6..<8 { _ = try await one.assign("net.a\(number)", [:]) }
        let error = await #expect(throws: ProgramFailure.self) { try await one.assign("net.last", [:]) }
        #expect(error?.description.contains("no block of an IPPool is free for node one") == true)
        try await one.free("net.a0")
        try await one.free("net.a0")
        let last = try await one.assign("net.last", [:])
        #expect(given.contains(last.description))
    }

    @Test("a pool that is switched off, or that chooses nodes, gives no blocks")
    func closed() async throws {
        for spec in [["cidr": "10.244.0.0/24", "disabled": true], ["cidr": "10.244.0.0/24", "nodeSelector": "rack == '0'"]] as [JSON] {
            #expect(CalicoPool(["spec": spec])?.isOpen == false)
        }
        #expect(CalicoPool(["spec": ["cidr": "10.244.0.0/24", "nodeSelector": "all()"]])?.isOpen == true)
        #expect(CalicoPool(["spec": ["cidr": "fd00::/48"]]) == nil)
    }

    @Test("of a node that is gone blocks and addresses are free again, and no others")
    func gone() async throws {
        let api = try await Self.api("10.244.0.0/24", blockSize: 28)
        _ = try await CalicoAddresses(api, node: "one").assign("net.a", [:])
        _ = try await CalicoAddresses(api, node: "two").assign("net.b", [:])
        let released = try await CalicoNodeBlocks(client: api).release(keeping: ["two"])
        #expect(released.count == 1)
        #expect(try await Self.names(api, .calicoHandles) == ["net.b"])
        #expect(try await Self.names(api, .calicoBlocks).count == 1)
        #expect(try await CalicoNodeBlocks(client: api).release(keeping: ["two"]).isEmpty)
    }
}
