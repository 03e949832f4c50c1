import Model
import Runtime
import Testing

@Suite("A node's pod addresses")
struct AddressPoolTests {
    private let network: IPNetwork

    init() throws { network = try #require(IPNetwork("10.244.1.0/28")) }

    @Test("addresses come in order from the one behind the bridge's")
    func order() {
        var pool = AddressPool(network: network)
        let given = (0..<3).map { _ in pool.allocate()?.description }
        #expect(given == ["10.244.1.2", "10.244.1.3", "10.244.1.4"])
    }

    @Test("every address of a network is given once, without the network's, the bridge's and the broadcast address")
    func exhaustion() throws {
        var pool = AddressPool(network: network)
        let given = (0..<13).compactMap { _ in pool.allocate()?.description }
        #expect(Set(given) == Set((2...14).map { "10.244.1.\($0)" }))
        let past = pool.allocate()
        #expect(past == nil)
        pool.release(try #require(IPAddress("10.244.1.9")))
        let again = pool.allocate(), none = pool.allocate()
        #expect(again?.description == "10.244.1.9")
        #expect(none == nil)
    }

    @Test("an address just given back is the last to be used again")
    func rotation() throws {
        var pool = AddressPool(network: network)
        let allocated = pool.allocate()
        let first = try #require(allocated)
        pool.release(first)
        let next = (0..<12).compactMap { _ in pool.allocate()?.description }
        #expect(next == (3...14).map { "10.244.1.\($0)" })
        let last = pool.allocate()
        #expect(last == first)
    }

    @Test("an address that a pod already has is not given to another")
    func reservation() throws {
        var pool = AddressPool(network: network)
        pool.reserve(try #require(IPAddress("10.244.1.3")))
        let given = (0..<12).compactMap { _ in pool.allocate()?.description }
        #expect(given.count == 12)
        #expect(!given.contains("10.244.1.3"))
        let past = pool.allocate()
        #expect(past == nil)
    }

    @Test("an address of another network takes none of ours")
    func foreign() throws {
        var pool = AddressPool(network: network)
        pool.reserve(try #require(IPAddress("10.244.2.2")))
        let given = (0..<13).compactMap { _ in pool.allocate() }
        #expect(given.count == 13)
    }
}
