import Glibc
import Host
import Model
import Netlink
import Rules
import Runtime

/// Finds out whether this kernel can do what a cluster needs, by doing it in a namespace of its own.
package enum Preflight {
    package struct Missing: Error, CustomStringConvertible {
        let feature: String
        let module: String
        let detail: String
        package var description: String { "this kernel lacks \(feature) (\(detail))\n  load it: modprobe \(module)" }
    }

    package static func check(paths: ClusterPaths, _ families: [IPFamily], _ shapes: [Cluster.NodeLink]) async throws {
        let path = "\(ClusterPaths.netns)/\(paths.cluster)__preflight"
        NetworkNamespace.delete(path: path)
        try NetworkNamespace.create(path: path)
        defer { NetworkNamespace.delete(path: path) }
        try probeLinks(path, families)
        try probeRules(path)
        try probe(shapes, path)
        guard (Files.text("/proc/filesystems") ?? "").contains("overlay") else {
            throw Missing(feature: "overlay file systems", module: "overlay", detail: "not in /proc/filesystems")
        }
    }

    private static func probeLinks(_ path: String, _ families: [IPFamily]) throws {
        let namespace = try NetworkNamespace(path: path)
        var socket = try NetlinkSocket(in: namespace)
        let mac = MACAddress(derivedFrom: "preflight")
        do { try socket.addBridge("br", mtu: 1500, address: mac) } catch {
            throw Missing(feature: "bridges", module: "bridge", detail: "\(error)")
        }
        do { try socket.addVeth("v", mtu: 1500, peer: "p", peerNamespace: namespace) } catch {
            throw Missing(feature: "veth pairs", module: "veth", detail: "\(error)")
        }
        do {
            let index = try socket.index(of: "v")
            try socket.addVXLAN("vx", vni: 1, underlay: index, local: IPAddress(ipv4: 0x7F00_0001), port: 8472, mtu: 1450, address: mac)
        } catch { throw Missing(feature: "VXLAN", module: "vxlan", detail: "\(error)") }
        do { try namespace.set(sysctl: "net.bridge.bridge-nf-call-iptables", "1") } catch {
            throw Missing(feature: "br_netfilter", module: "br_netfilter", detail: "\(error)")
        }
        guard families.contains(.ipv6) else { return }
        do { try namespace.set(sysctl: "net.ipv6.conf.all.forwarding", "1") } catch {
            throw Missing(feature: "IPv6, which the Cluster document asks for", module: "ipv6", detail: "\(error)")
        }
    }

    private static func probe(_ shapes: [Cluster.NodeLink], _ path: String) throws {
        var socket = try NetlinkSocket(in: NetworkNamespace(path: path))
        let index = try socket.index(of: "v")
        do { for link in shapes { try LinkShape(link).probe(&socket, dev: index) } } catch let error as LinkShape.Unsupported {
            throw NodeLinks.explained(error)
        }
    }

    private static func probeRules(_ path: String) throws {
        var rules = Ruleset()
        rules.sets["s"] = NamedSet(key: [.address(.ipv4), .transportProtocol, .port], isInterval: true)
        rules.chains["t"] = Chain([Rule(.verdict(.drop))])
        rules.chains["c"] = Chain(
            hook: Hook(.nat, .postrouting, Hook.sourceNAT),
            [Rule(.connectionState(.new), .markUnset(1), .sourceNAT(IPAddress(ipv4: 0x0A00_0001))), Rule(.randomJump(["t", "t"]))])
        do {
            var socket = try NFTablesSocket(in: NetworkNamespace(path: path))
            try socket.apply([.addTable] + Ruleset.diff(Ruleset(), rules), table: TableID(.ip, "preflight"))
        } catch { throw Missing(feature: "nf_tables with NAT", module: "nf_tables nft_chain_nat nft_numgen nft_ct", detail: "\(error)") }
    }
}
