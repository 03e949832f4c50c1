import Model
import Testing

@Suite("IPv4 addresses")
struct IPv4Addresses {
    @Test("dotted decimal is read and written", arguments: ["0.0.0.0", "10.244.1.157", "192.168.200.1", "255.255.255.255"])
    func roundTrip(_ text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == text)
    }

    @Test("the first field is the most significant")
    func value() throws {
        let address = try #require(IPAddress("10.244.1.2"))
        #expect(address.ipv4 == 0x0AF4_0102)
        #expect(address.bytes == [10, 244, 1, 2])
        #expect(IPAddress(ipv4: 0xC0A8_C801).description == "192.168.200.1")
    }

    @Test(
        "anything but four canonical fields is refused",
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.999", "01.2.3.4", "1.2.3.00", "1..2.3", ".1.2.3", "1.2.3.", " 1.2.3.4",
            "1.2.3.4 ", "+1.2.3.4", "-1.2.3.4", "0x1.2.3.4", "::ffff:1.2.3.4", "1.2.3.4/32", "a.b.c.d", "1,2,3,4", "٣.1.1.1",
        ])
    func refused(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test("addresses order by number, not by text")
    func order() throws {
        let nine = try #require(IPAddress("9.255.255.255")), ten = try #require(IPAddress("10.0.0.0"))
        #expect(nine < ten)
        #expect(nine + 1 == ten)
        #expect(ten + -1 == nine)
    }
}

@Suite("IPv6 addresses")
struct IPv6Addresses {
    @Test(
        "every spelling of RFC 4291 is read, and RFC 5952's is written",
        arguments: [
            ("::", "::"), ("::1", "::1"), ("2001:DB8::0001", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1:0:0:0:2:0:0:0", "1::2:0:0:0"), ("fd00:10:244::", "fd00:10:244::"),
            ("::102:304", "::102:304"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func spellings(_ text: String, _ written: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == written)
        #expect(IPAddress(written) == address)
        #expect(address.family == .ipv6 && address.bytes.count == 16)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(
        "what is no IPv6 address, or means one of IPv4, is refused",
        arguments: [
            ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "[::1]", "12345::", "g::", "::ffff:1.2.3.4",
        ])
    func refused(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test("a family is asked for, and the other's addresses are none of it")
    func families() throws {
        #expect(IPAddress("10.0.0.1", .ipv6) == nil && IPAddress("fd00::1", .ipv4) == nil)
        #expect(IPAddress("10.0.0.1", .ipv4)?.ipv4 == 0x0A00_0001)
        #expect(IPNetwork("10.0.0.0/8", .ipv6) == nil && IPNetwork("fd00::/8", .ipv6) != nil)
        // ::/0 has every number, and still no address of the other family.
        #expect(!IPNetwork.all(.ipv6).contains(IPAddress(ipv4: 0x0A00_0001)))
        #expect(!IPNetwork.all(.ipv4).contains(try #require(IPAddress("::a00:1"))))
    }

    @Test("networks know their extent in 128 bits")
    func networks() throws {
        let network = try #require(IPNetwork("fd00:10:244::/56"))
        #expect(network.last.description == "fd00:10:244:ff:ffff:ffff:ffff:ffff")
        #expect(network.mask.description == "ffff:ffff:ffff:ff00::")
        #expect(network.size == .max && IPNetwork.all(.ipv6).size == .max)
        #expect(network.subnet(255, length: 64)?.description == "fd00:10:244:ff::/64")
        #expect(network.subnet(256, length: 64) == nil)
        #expect(network[2].description == "fd00:10:244::2")
        #expect(network.contains(try #require(IPAddress("fd00:10:244:80::5"))) && !network.contains(network.last + 1))
        #expect(IPNetwork("fd00::1/64") == nil && IPNetwork("fd00::/129") == nil && IPNetwork("fd00::/064") == nil)
        #expect(try #require(IPNetwork("fd00::8/128")).size == 1)
    }

    @Test("addresses keep their order across the middle of their bits")
    func order() throws {
        let low = try #require(IPAddress("fd00::ffff:ffff:ffff:ffff")), high = try #require(IPAddress("fd00:0:0:1::"))
        #expect(low < high && low + 1 == high && high + -1 == low)
    }
}

@Suite("IPv4 networks")
struct IPNetworks {
    @Test("a network knows its first and last address, its mask and its size")
    func extent() throws {
        let network = try #require(IPNetwork("10.244.1.0/24"))
        #expect(network.description == "10.244.1.0/24")
        #expect(network.network.description == "10.244.1.0")
        #expect(network.last.description == "10.244.1.255")
        #expect(network.mask.description == "255.255.255.0")
        #expect(network.size == 256)
        #expect(network[10].description == "10.244.1.10")
    }

    @Test("the widest and the narrowest network work")
    func extremes() throws {
        let all = try #require(IPNetwork("0.0.0.0/0")), one = try #require(IPNetwork("10.0.0.1/32"))
        #expect(all == IPNetwork.all(.ipv4))
        #expect(all.size == 4_294_967_296)
        #expect(all.last.description == "255.255.255.255")
        #expect(all.contains(one.network))
        #expect(one.size == 1)
        #expect(one.last == one.network)
        #expect(!one.contains(one.network + 1))
    }

    @Test(
        "host bits and other spellings are refused",
        arguments: [
            "10.244.1.1/24", "0.0.0.1/0", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
            "10.0.0.0/8/8", "/8", "10.0.0/8", "10.00.0.0/8", "10.0.0.0/8 ", "",
        ])
    func refused(_ text: String) { #expect(IPNetwork(text) == nil) }

    @Test("the parts of an interface address keep its host bits")
    func parts() throws {
        let (address, length) = try #require(IPNetwork.parts("192.168.200.11/24"))
        #expect(address.description == "192.168.200.11")
        #expect(length == 24)
        #expect(IPNetwork(address, length).description == "192.168.200.0/24")
    }

    @Test("a network contains its edges and not its neighbours")
    func contains() throws {
        let network = try #require(IPNetwork("192.168.200.0/22"))
        let inside = ["192.168.200.0", "192.168.203.255"].compactMap { IPAddress($0) }
        let outside = ["192.168.199.255", "192.168.204.0"].compactMap { IPAddress($0) }
        #expect(inside.map { network.contains($0) } == [true, true])
        #expect(outside.map { network.contains($0) } == [false, false])
    }

    @Test("networks overlap when one holds the other")
    func overlaps() throws {
        let wide = try #require(IPNetwork("10.244.0.0/16")), inner = try #require(IPNetwork("10.244.3.0/24")),
            other = try #require(IPNetwork("10.245.0.0/24"))
        #expect(wide.overlaps(inner))
        #expect(inner.overlaps(wide))
        #expect(!wide.overlaps(other))
        #expect(!inner.overlaps(other))
    }

    @Test("subnets are cut in order, up to the last")
    func subnets() throws {
        let network = try #require(IPNetwork("10.244.0.0/16"))
        #expect(network.subnet(0, length: 24)?.description == "10.244.0.0/24")
        #expect(network.subnet(255, length: 24)?.description == "10.244.255.0/24")
        #expect(network.subnet(3, length: 26)?.description == "10.244.0.192/26")
        #expect(network.subnet(256, length: 24) == nil)
        #expect(network.subnet(-1, length: 24) == nil)
        #expect(network.subnet(0, length: 15) == nil)
        #expect(network.subnet(0, length: 16) == network)
    }
}

@Suite("Ethernet addresses")
struct MACAddresses {
    @Test("six pairs of digits are read and written in lower case")
    func roundTrip() throws {
        let address = try #require(MACAddress("0A:58:0a:f4:01:05"))
        #expect(address.bytes == [0x0A, 0x58, 0x0A, 0xF4, 0x01, 0x05])
        #expect(address.description == "0a:58:0a:f4:01:05")
    }

    @Test(
        "anything but six bytes is refused",
        arguments: [
            "", "0a:58:0a:f4:01", "0a:58:0a:f4:01:05:06", "gg:58:0a:f4:01:05", "0a-58-0a-f4-01-05", "0a:58:0a:f4:01:", "100:58:0a:f4:01:05",
        ])
    func refused(_ text: String) { #expect(MACAddress(text) == nil) }

    @Test("a sign is no hexadecimal digit")
    func sign() { #expect(MACAddress("0a:58:0a:f4:01:+5") == nil) }

    @Test("bytes of the wrong number are refused")
    func count() {
        #expect(MACAddress([UInt8](repeating: 1, count: 5)) == nil)
        #expect(MACAddress([UInt8](repeating: 1, count: 6))?.description == "01:01:01:01:01:01")
    }

    @Test("a derived address is the name's hash, made unicast and locally administered")
    func derived() {
        // SHA-256 of "abc" begins ba 78 16 bf 8f 01 (FIPS 180-4).
        #expect(MACAddress(derivedFrom: "abc").description == "ba:78:16:bf:8f:01")
        let names = (0..<200).map { "node-\($0)" }
        #expect(names.allSatisfy { MACAddress(derivedFrom: $0).bytes[0] & 3 == 2 })
        #expect(Set(names.map { MACAddress(derivedFrom: $0) }).count == 200)
    }
}
