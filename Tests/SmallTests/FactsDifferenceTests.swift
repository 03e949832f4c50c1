import Lab
import Model
import Netlink
import Runtime
import Testing

@Suite("what differs between two networks")
struct FactsDifferenceTests {
    private func facts(_ title: String, _ subjects: [String: [String]]) -> NetworkFacts {
        NetworkFacts(
            title: title,
            subjects: subjects.sorted { $0.key < $1.key }.map { NetworkFacts.Subject(name: $0.key, lines: $0.value) })
    }

    @Test("lines that both have are left out, and subjects without a difference")
    func lines() {
        let difference = FactsDifference(
            facts("flannel", ["TTL": ["a: 64", "b: 62"], "links": ["eth0"], "only here": ["x"]]),
            facts("calico", ["TTL": ["a: 63", "b: 62"], "links": ["eth0"]]))
        #expect(difference.text == "--- flannel\n+++ calico\n@@ TTL\n-a: 64\n+a: 63\n@@ only here\n-x\n")
    }

    @Test("none is said to be none")
    func none() {
        let same = facts("flannel", ["TTL": ["a: 64"]])
        #expect(FactsDifference(same, same).text == "flannel and flannel: no difference\n")
    }

    @Test("links and routes that are named at random are counted instead")
    func names() throws {
        let address = try #require(IPAddress("10.244.1.5")), other = try #require(IPAddress("10.244.1.6"))
        var reading = NetworkReading()
        for (index, name) in ["lo", "eth0", "cali0123456789a", "cali0123456789b"].enumerated() {
            reading.links[name] = Link(
                index: Int32(index + 1), name: name, mtu: 1450, address: nil, isUp: true, kind: index < 2 ? nil : "veth", master: nil)
        }
        reading.routes = [
            .init(IPNetwork(address, 32), via: nil, 3), .init(IPNetwork(other, 32), via: nil, 4),
            .init(IPNetwork(try #require(IPAddress("10.244.1.0")), 26), via: nil, 0), .init(.all(.ipv4), via: address, 2),
        ]
        #expect(NetworkFacts.links(reading) == ["cali... (veth), mtu 1450 (2)", "eth0 (device), mtu 1450"])
        #expect(
            NetworkFacts.routes(reading) == [
                "a pod's address dev cali... (2)", "blackhole 10.244.1.0/26", "default via 10.244.1.5 dev eth0",
            ])
    }
}
