import Model
import Runtime
import Synchronization
import Testing

@Suite("what decides on a flannel node what a pod gets")
struct FlannelChainTests {
    /// A node's files.
    private final class Folder: Sendable {
        let files = Mutex<[String: String]>([:])

        var ground: HostLocalLeases.Ground {
            HostLocalLeases.Ground(
                texts: { folder in
                    self.files.withLock { files in
                        let own = files.filter { $0.key.hasPrefix("\(folder)/") }.map {
                            (String($0.key.dropFirst(folder.count + 1)), $0.value)
                        }
                        return Dictionary(own) { $1 }
                    }
                },
                text: { path in self.files.withLock { $0[path] } },
                create: { text, path in
                    self.files.withLock { files in
                        if files[path] != nil { return false }
                        files[path] = text
                        return true
                    }
                },
                write: { text, path in self.files.withLock { $0[path] = text } }, remove: { path in self.files.withLock { $0[path] = nil } }
            )
        }

        var leases: [String] { files.withLock { $0.keys.compactMap { $0.split(separator: "/").last.map(String.init) }.sorted() } }
    }

    private static func lease(_ address: String) -> String { "\(HostLocalLeases.folder)/\(address)" }
    private static func range(_ text: String) throws -> LeaseRange { LeaseRange(try #require(IPNetwork(text))) }

    @Test("subnet.env says where the pods are; what it lacks, or that it is not there, is told in flannel's words")
    func subnet() throws {
        let text = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
        let subnet = try FlannelSubnet(reading: text)
        #expect(subnet.text == text)
        #expect(subnet.place(.ipv4)?.gateway.description == "10.244.1.1" && subnet.place(.ipv6) == nil && subnet.mtu == 1450)
        for (text, words) in [
            (nil, "open /run/flannel/subnet.env: no such file or directory"),
            ("FLANNEL_MTU=1450\n", "FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_IPMASQ"),
            (text.replacing("FLANNEL_MTU", with: "MTU"), "/run/flannel/subnet.env is missing FLANNEL_MTU"),
            (text.replacing("10.244.1.1/24", with: "10.244.1.1"), "invalid CIDR address: 10.244.1.1"),
        ] {
            let error = #expect(throws: FlannelSubnet.Unusable.self) { try FlannelSubnet(reading: text) }
            #expect(error?.description.hasSuffix(words) == true, "\(String(describing: error))")
        }
    }

    @Test("addresses come one after the other, also after the daemon has begun anew; one that was given back comes last")
    func order() throws {
        let folder = Folder(), range = try Self.range("10.244.1.0/29")
        var leases = HostLocalLeases()
        #expect(try leases.take([range], for: "a", in: folder.ground).map(\.description) == ["10.244.1.2"])
        #expect(try leases.take([range], for: "b", in: folder.ground).map(\.description) == ["10.244.1.3"])
        try leases.giveBack("a", in: folder.ground)
        var later = HostLocalLeases()
        #expect(
            try ["c", "d", "e", "f"].map { try later.take([range], for: $0, in: folder.ground).description }
                == [4, 5, 6, 2].map { "[10.244.1.\($0)]" })
        try later.giveBack("b", in: folder.ground)
        #expect(folder.leases == ["10.244.1.2", "10.244.1.4", "10.244.1.5", "10.244.1.6", "last_reserved_ip.0"])
        #expect(folder.files.withLock { $0[Self.lease("10.244.1.2")] } == "f\r\neth0")
    }

    @Test("an address whose file is there is taken, whoever left it; without the file it is free")
    func leaked() throws {
        let folder = Folder(), range = try Self.range("10.244.1.0/29")
        folder.files.withLock { for last in 2...6 { $0[Self.lease("10.244.1.\(last)")] = "of long ago\r\neth0" } }
        var leases = HostLocalLeases()
        let error = #expect(throws: HostLocalLeases.Exhausted.self) { try leases.take([range], for: "a", in: folder.ground) }
        #expect(error?.description == "failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.6")
        folder.files.withLock { $0[Self.lease("10.244.1.5")] = nil }
        #expect(try leases.take([range], for: "a", in: folder.ground).map(\.description) == ["10.244.1.5"])
    }

    @Test("a container gives back what it has and nothing else, and what a failed try left is not lost")
    func own() throws {
        let folder = Folder(), range = try Self.range("10.244.1.0/29"), full = try Self.range("fd00::/127")
        var leases = HostLocalLeases()
        #expect(throws: HostLocalLeases.Exhausted.self) { try leases.take([range, full], for: "a", in: folder.ground) }
        #expect(folder.leases == ["last_reserved_ip.0"])
        try leases.keep(try leases.take([range], for: "a", in: folder.ground), for: "a", in: folder.ground)
        folder.files.withLock { $0[Self.lease("10.244.1.3")] = "b\r\neth0" }
        try leases.giveBack("a", in: folder.ground)
        #expect(folder.leases == ["10.244.1.3", "last_reserved_ip.0"])
    }

    @Test("a bridge with another address is refused; one without has to be given it; IPv6's others are nobody's affair")
    func bridge() throws {
        let all = try #require(IPNetwork("10.244.0.0/16")), own = try #require(IPNetwork("10.244.1.0/24"))
        let place = FlannelSubnet.Place(network: all, subnet: own)
        func isMissing(_ found: [(String, Int)]) throws -> Bool {
            try FlannelBridge.isMissing(place, among: try found.map { (try #require(IPAddress($0.0)), $0.1) })
        }
        #expect(try isMissing([]))
        #expect(try !isMissing([("10.244.1.1", 24)]))
        #expect(try !isMissing([("10.244.1.1", 24), ("10.244.7.1", 24)]))
        for other in [("10.244.7.1", 24), ("10.244.1.1", 16)] {
            let error = #expect(throws: FlannelBridge.OtherAddress.self) { try isMissing([other]) }
            #expect(error?.description == "\"cni0\" already has an IP address different from 10.244.1.1/24")
        }
        let six = FlannelSubnet.Place(network: try #require(IPNetwork("fd00::/56")), subnet: try #require(IPNetwork("fd00:0:0:1::/64")))
        #expect(try FlannelBridge.isMissing(six, among: [(try #require(IPAddress("fe80::1")), 64)]))
    }
}
