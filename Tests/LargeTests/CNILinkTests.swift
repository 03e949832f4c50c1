import Foundation
import Model
import Testing

/// `minik-cni` as a runtime calls it, on a node of its own that has Debian's host-local.
@Suite("[Serial] links that minik-cni makes", .serialized)
struct CNILinkTests {
    /// A namespace that is the node, and two that are containers'.
    private struct Node {
        let folder: String
        private let name: String
        private static let program = "\(Shell.root)/.build/release/minik-cni"

        static func with(_ body: (Node) throws -> Void) throws {
            try #require(Shell.run("test -x /usr/lib/cni/host-local").isSuccess, "Debian's containernetworking-plugins is not installed")
            let node = Node(folder: "/tmp/minik-cni-\(UUID().uuidString.prefix(6))", name: "mcni")
            let namespaces = [node.name, "mcni-c1", "mcni-c2"]
            defer { Shell.run("for n in \(namespaces.joined(separator: " ")); do ip netns del $n; done; rm -rf \(node.folder)") }
            try #require(
                Shell.run("mkdir -p \(node.folder); for n in \(namespaces.joined(separator: " ")); do ip netns add $n; done").isSuccess)
            // A node answers for 169.254.1.1 since it would lead it elsewhere: Calico's links need a default route there.
            try #require(Shell.run("ip -n \(node.name) link add wan type bridge && ip -n \(node.name) link set wan up").isSuccess)
            try #require(Shell.run("ip -n \(node.name) route add default dev wan").isSuccess)
            try body(node)
        }

        func configuration(_ version: String, _ links: String) -> JSON {
            [
                "cniVersion": .string(version), "name": "lab", "type": "minik-cni", "links": .string(links), "mtu": 1400,
                "ipam": ["type": "host-local", "subnet": "10.88.0.0/24", "dataDir": .string(folder)],
            ]
        }

        /// What the specification says that a runtime does.
        func call(
            _ command: String, _ container: String, _ configuration: JSON, interface: String = "eth0", arguments: String = "",
            namespace: String? = nil
        ) throws -> CommandResult {
            let input = try ClusterFiles.write(configuration.text())
            defer { try? FileManager.default.removeItem(atPath: input) }
            return Shell.run(
                "CNI_COMMAND=\(command) CNI_CONTAINERID=\(container) CNI_NETNS=\(namespace ?? "/run/netns/mcni-\(container)") "
                    + "CNI_IFNAME=\(interface) CNI_ARGS='\(arguments)' CNI_PATH=/usr/lib/cni "
                    + "ip netns exec \(name) \(Self.program) < \(input)")
        }

        func add(_ container: String, _ configuration: JSON) throws -> JSON {
            let added = try call("ADD", container, configuration)
            try #require(added.isSuccess, "\(added)")
            return try JSON(parsing: added.output)
        }

        func ip(_ words: String, in container: String? = nil) throws -> [JSON] {
            try Shell.json("ip -n \(container.map { "mcni-\($0)" } ?? name) -j \(words)").items
        }

        func pings(_ container: String, _ address: String) -> Bool {
            Shell.run("ip netns exec mcni-\(container) busybox ping -qc 1 -W 2 \(address)").isSuccess
        }

        var leases: [String] {
            Shell.run("ls \(folder)/lab").output.split(separator: "\n").map(String.init).filter { $0.hasPrefix("10.") }
        }
        func veths() throws -> [String] { try ip("link show type veth").compactMap { $0["ifname"].string } }
    }

    @Test("flannel's: ports of a bridge with the range's first address; CHECK sees what is missing, and DEL leaves nothing, asked twice")
    func flannel() throws {
        try Node.with { node in
            let configuration = node.configuration("1.0.0", "flannel")
            let one = try node.add("c1", configuration), two = try node.add("c2", configuration)
            #expect(
                one["ips"][0]["address"] == "10.88.0.2/24" && one["ips"][0]["gateway"] == "10.88.0.1" && one["ips"][0]["interface"] == 2)
            let names = one["interfaces"].items.compactMap { $0["name"].string }
            #expect(names.first == "cni0" && names.last == "eth0" && two["ips"][0]["address"] == "10.88.0.3/24")
            let bridge = try node.ip("address show dev cni0")[0], inside = try node.ip("address show dev eth0", in: "c1")[0]
            #expect(bridge["addr_info"].items.contains { $0["local"] == "10.88.0.1" && $0["prefixlen"] == 24 })
            #expect(inside["mtu"] == 1400 && inside["address"] == one["interfaces"][2]["mac"])
            #expect(try node.ip("route show default", in: "c1")[0]["gateway"] == "10.88.0.1")
            #expect(try node.ip("link show dev \(names[1])")[0]["master"] == "cni0")
            #expect(node.pings("c1", "10.88.0.3") && node.pings("c1", "10.88.0.1"))
            var again = configuration
            again["prevResult"] = one
            let whole = try node.call("CHECK", "c1", again)
            #expect(whole.isSuccess && whole.output.isEmpty, "\(whole)")
            Shell.run("ip -n mcni-c1 route del default")
            let broken = try node.call("CHECK", "c1", again)
            #expect(!broken.isSuccess && broken.output.contains("missing: route default via 10.88.0.1 dev eth0"), "\(broken)")
            for _ in 0..<2 { #expect(try node.call("DEL", "c1", again).output.isEmpty) }
            #expect(try node.ip("link show", in: "c1").count == 1 && node.leases == ["10.88.0.3"])
            // A namespace that has gone took its link with it.
            Shell.run("ip netns del mcni-c2")
            #expect(try node.call("DEL", "c2", configuration).isSuccess && node.leases.isEmpty && node.veths().isEmpty)
        }
    }

    @Test("an ADD that fails half-way leaves neither link nor lease, and says why in CNI's words")
    func failure() throws {
        try Node.with { node in
            let configuration = node.configuration("1.1.0", "flannel")
            Shell.run("ip -n mcni link add cni0 type bridge; ip -n mcni address add 10.99.0.1/24 dev cni0")
            let refused = try node.call("ADD", "c1", configuration), said = try JSON(parsing: refused.output)
            #expect(refused.status == 1 && said["cniVersion"] == "1.1.0" && said["code"] == 7, "\(refused)")
            #expect(said["msg"] == "\"cni0\" already has an IP address different from 10.88.0.1/24", "\(refused)")
            #expect(try node.leases.isEmpty && node.veths().isEmpty)
            Shell.run("ip -n mcni link del cni0")
            _ = try node.add("c1", configuration)
            let twice = try node.call("ADD", "c1", configuration)
            #expect(twice.output.contains("already exists"), "\(twice)")
            #expect(node.leases.count == 1, "what stood before stands")
        }
    }

    @Test("Calico's: no bridge, a route for each, 169.254.1.1; and GC of 1.1 takes what no container has, by an older host-local")
    func calico() throws {
        try Node.with { node in
            var configuration = node.configuration("1.1.0", "calico")
            configuration["runtimeConfig"]["mac"] = "02:00:00:00:00:4d"
            let one = try node.add("c1", configuration)
            configuration["runtimeConfig"] = .null
            _ = try node.add("c2", configuration)
            let name = try #require(one["interfaces"][0]["name"].string)
            #expect(name.hasPrefix("cali") && one["ips"][0]["address"] == "10.88.0.2/32")
            let port = try node.ip("link show dev \(name)")[0], routes = try node.ip("route show 10.88.0.2")
            #expect(port["address"] == "ee:ee:ee:ee:ee:ee" && port["master"] == .null && routes[0]["dev"].string == name)
            #expect(try node.ip("link show dev eth0", in: "c1")[0]["address"] == "02:00:00:00:00:4d")
            #expect(try node.ip("route show default", in: "c1")[0]["gateway"] == "169.254.1.1")
            #expect(node.pings("c1", "10.88.0.3") && node.pings("c2", "10.88.0.2"))
            configuration["cni.dev/valid-attachments"] = [["containerID": "c1", "ifname": "eth0"]]
            let collected = try node.call("GC", "-", configuration)
            #expect(collected.isSuccess && node.leases == ["10.88.0.2"], "\(collected)")
            #expect(try node.veths() == [name] && node.call("STATUS", "-", configuration).isSuccess)
        }
    }

    @Test("a container's second link leaves the first its routes; of each CHECK says that it is whole")
    func second() throws {
        try Node.with { node in
            let configuration = node.configuration("1.0.0", "flannel")
            var results: [String: JSON] = [:]
            for interface in ["eth0", "eth1"] {
                let added = try node.call("ADD", "c1", configuration, interface: interface)
                try #require(added.isSuccess, "\(added)")
                results[interface] = try JSON(parsing: added.output)
            }
            let routes = try node.ip("route show", in: "c1")
            for destination in ["default", "10.88.0.0/24"] {
                #expect(
                    Set(routes.filter { $0["dst"].string == destination }.compactMap { $0["dev"].string }) == ["eth0", "eth1"], "\(routes)")
            }
            for (interface, result) in results {
                var again = configuration
                again["prevResult"] = result
                let whole = try node.call("CHECK", "c1", again, interface: interface)
                #expect(whole.isSuccess, "\(whole)")
            }
        }
    }

    @Test("DEL finds Calico's link by its mark though CNI_ARGS have changed; what is no namespace is said to be none")
    func mark() throws {
        try Node.with { node in
            let configuration = node.configuration("1.0.0", "calico")
            func pod(_ name: String) -> String { "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=\(name)" }
            var again = configuration
            let added = try node.call("ADD", "c1", configuration, arguments: pod("a"))
            again["prevResult"] = try JSON(parsing: added.output)
            let whole = try node.call("CHECK", "c1", again, arguments: pod("b"))
            #expect(whole.isSuccess, "\(whole)")
            // A sandbox in the place of another one takes its name, and is not taken away with it.
            _ = try node.call("ADD", "c2", configuration, arguments: pod("c"))
            #expect(try node.call("DEL", "c1", configuration, arguments: pod("c")).isSuccess)
            #expect(try node.veths().count == 1 && node.leases == ["10.88.0.3"] && node.ip("route show 10.88.0.2").isEmpty)
            let refused = try node.call("ADD", "c1", configuration, namespace: "/tmp")
            #expect(try JSON(parsing: refused.output)["code"] == 3 && refused.output.contains("/tmp"), "\(refused)")
            let long = String(repeating: "c", count: 300)
            #expect(try node.call("ADD", long, configuration, namespace: "/run/netns/mcni-c1").isSuccess)
            #expect(try node.call("DEL", long, configuration, namespace: "/run/netns/mcni-c1").isSuccess && node.veths().count == 1)
        }
    }
}
