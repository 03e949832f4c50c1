import Model
import Rules

/// The table that leads a node's ports to the pods that claim them, as the CNI plugin portmap names it.
/// (containernetworking/plugins plugins/meta/portmap: table `cni_hostport`)
///
/// A packet to any of the node's own addresses is looked up by protocol and port, one to an address that a pod named by that as well. Who
/// asks from the loopback, and a pod that asks itself, gets the bridge's address, or the answer would not find its way back.
package enum HostPortTable {
    package static let name = "cni_hostport"
    private static let mark: UInt32 = 0x2000
    private static let loopback = CIDR(IPv4Address(0x7F00_0000), 8)
    private static let hostPorts = "hostports", addressHostPorts = "hostip_hostports", nodeAddresses = "node-ips"

    package static let sets: [String: NamedSet] = [
        hostPorts: NamedSet(key: [.transportProtocol, .port], isVerdictMap: true, comment: "Host ports on every address of the node"),
        addressHostPorts: NamedSet(key: [.address, .transportProtocol, .port], isVerdictMap: true, comment: "Host ports on one address"),
        nodeAddresses: NamedSet(key: [.address], comment: "The node's addresses"),
    ]

    /// What stands in the table before the first pod.
    package static func base(_ node: NodeView) -> Ruleset {
        var rules = Ruleset()
        rules.sets = sets
        for address in [node.address, node.podCIDR.network, node.podCIDR[1]] { rules.add([.address(address)], to: nodeAddresses) }
        let dispatch = Rule(.verdict(.jump("dispatch")))
        let byPort = Statement.verdictMap([.transportProtocol, .destinationPort], hostPorts)
        rules.chains = [
            "prerouting": Chain(hook: Hook(.nat, .prerouting, Hook.destinationNAT), [dispatch]),
            "output": Chain(hook: Hook(.nat, .output, Hook.destinationNAT), [dispatch]),
            "dispatch": Chain([
                Rule(.verdictMap([.destinationAddress, .transportProtocol, .destinationPort], addressHostPorts)),
                Rule(.inSet([.destinationAddress], nodeAddresses), byPort), Rule(.match(.destinationAddress, .network(loopback)), byPort),
            ]),
            "mark-for-masquerade": Chain([Rule(.setMark(mark))]),
            "masquerading": Chain(
                hook: Hook(.nat, .postrouting, Hook.sourceNAT),
                [Rule(.markUnset(mark), .verdict(.return)), Rule(.flipMark(mark), .sourceNAT(node.podCIDR[1]))]),
        ]
        return rules
    }

    /// One pod's part of the table.
    package static func compile(_ pod: Pod, _ address: IPv4Address) -> Ruleset {
        var rules = Ruleset()
        for port in pod.hostPorts {
            let claim = "\(port.address.map { "\($0):" } ?? "")\(port.port)/\(port.proto.rawValue.lowercased())"
            let chain = ServiceTable.chainName("hostport", "\(pod.key)/\(claim)")
            let comment = "\(pod.key) \(claim)"
            rules.chains[chain] = Chain([
                Rule(
                    .match(.sourceAddress, .address(address)), .verdict(.jump("mark-for-masquerade")),
                    comment: "hairpin: the pod reaches itself"),
                Rule(
                    .match(.sourceAddress, .network(loopback)), .verdict(.jump("mark-for-masquerade")),
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
