import Model
import Rules

/// The table that leads a node's ports to the pods that claim them, as the CNI plugin portmap names it.
/// (containernetworking/plugins plugins/meta/portmap: table `cni_hostport`)
///
/// A packet to any of the node's own addresses is looked up by protocol and port, one to an address that a pod named by that as well. Who
/// asks from the loopback, and a pod that asks itself, gets the bridge's address, or the answer would not find its way back.
package enum HostPortTable {
    package static func id(_ family: IPFamily) -> TableID { TableID(TableFamily(family), "cni_hostport") }
    private static let mark: UInt32 = 0x2000
    private static func loopback(_ family: IPFamily) -> IPNetwork {
        family == .ipv4 ? IPNetwork(IPAddress(ipv4: 0x7F00_0000), 8) : IPNetwork(IPAddress(.ipv6, number: 1), 128)
    }
    private static let hostPorts = "hostports", addressHostPorts = "hostip_hostports", nodeAddresses = "node-ips"

    package static func sets(_ family: IPFamily) -> [String: NamedSet] {
        [
            hostPorts: NamedSet(key: [.transportProtocol, .port], isVerdictMap: true, comment: "Host ports on every address of the node"),
            addressHostPorts: NamedSet(
                key: [.address(family), .transportProtocol, .port], isVerdictMap: true, comment: "Host ports on one address"),
            nodeAddresses: NamedSet(key: [.address(family)], comment: "The node's addresses"),
        ]
    }

    /// What stands in the table before the first pod.
    package static func base(_ node: NodeView) -> Ruleset {
        var rules = Ruleset()
        let destination = Field.destinationAddress(node.family)
        rules.sets = sets(node.family)
        for address in [node.address, node.podCIDR.network, node.podCIDR[1]] { rules.add([.address(address)], to: nodeAddresses) }
        let dispatch = Rule(.verdict(.jump("dispatch")))
        let byPort = Statement.verdictMap([.transportProtocol, .destinationPort], hostPorts)
        rules.chains = [
            "prerouting": Chain(hook: Hook(.nat, .prerouting, Hook.destinationNAT), [dispatch]),
            "output": Chain(hook: Hook(.nat, .output, Hook.destinationNAT), [dispatch]),
            "dispatch": Chain([
                Rule(.verdictMap([destination, .transportProtocol, .destinationPort], addressHostPorts)),
                Rule(.inSet([destination], nodeAddresses), byPort), Rule(.match(destination, .network(loopback(node.family))), byPort),
            ]),
            "mark-for-masquerade": Chain([Rule(.setMark(mark))]),
            "masquerading": Chain(
                hook: Hook(.nat, .postrouting, Hook.sourceNAT),
                [Rule(.markUnset(mark), .verdict(.return)), Rule(.flipMark(mark), .sourceNAT(node.podCIDR[1]))]),
        ]
        return rules
    }

    /// One pod's part of the table.
    package static func compile(_ pod: Pod, _ address: IPAddress) -> Ruleset {
        var rules = Ruleset()
        let source = Field.sourceAddress(address.family)
        for port in pod.hostPorts where port.address == nil || port.address?.family == address.family {
            let claim = "\(port.address.map { "\($0):" } ?? "")\(port.port)/\(port.proto.rawValue.lowercased())"
            let chain = ServiceTable.chainName("hostport", "\(pod.key)/\(claim)")
            let comment = "\(pod.key) \(claim)"
            rules.chains[chain] = Chain([
                Rule(
                    .match(source, .address(address)), .verdict(.jump("mark-for-masquerade")),
                    comment: "hairpin: the pod reaches itself"),
                Rule(
                    .match(source, .network(loopback(address.family))), .verdict(.jump("mark-for-masquerade")),
                    comment: "the node asks from its loopback"),
                Rule(.destinationNAT(port.proto, address, port.containerPort), comment: comment),
            ])
            let data = ElementData(verdict: .goto(chain), comment: comment)
            if let own = port.address {
                rules.add([.address(own), .proto(port.proto), .port(port.port)], data, to: addressHostPorts)
            } else {
                rules.add([.proto(port.proto), .port(port.port)], data, to: hostPorts)
            }
        }
        return rules
    }
}
