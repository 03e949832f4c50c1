import Model
import Rules

/// What may cross the links of a node's pods: table `bridge pod-links`.
///
/// Policies go by addresses, so an address must be its pod's. From a pod come IPv4 packets with the pod's own addresses, and ARP that
/// claims nothing else; to a pod go IPv4 packets for it, and ARP. One set holds all the links, so that a frame costs one look-up at each
/// end whatever the number of pods; what is in it by no rule is dropped: tagged frames, IPv6, broadcasts of IPv4, frames without an
/// EtherType.
package enum PodLinkTable {
    package static let id = TableID(.bridge, "pod-links")
    private static let links = "links"
    /// Ethernet and IPv4, addresses of six and four bytes: only then are the sender's addresses where the rules look.
    private static let arpFormat: [UInt8] = [0, 1, 8, 0, 6, 4]

    /// What stands in the table before the first pod: nothing passes.
    package static func base() -> Ruleset {
        let ip = Statement.match(.etherType, .etherType(0x0800)), arp = Statement.match(.etherType, .etherType(0x0806))
        var rules = Ruleset()
        rules.sets[links] = NamedSet(key: [.interface, .hardwareAddress, .address(.ipv4)], comment: "each pod's port, MAC and address")
        let fromPod = Chain([
            Rule(ip, .inSet([.inputInterface, .sourceHardwareAddress, .sourceAddress(.ipv4)], links), .verdict(.accept)),
            Rule(
                arp, .match(.arpFormat, .bytes(arpFormat)), .inSet([.inputInterface, .sourceHardwareAddress, .arpSenderAddress], links),
                .inSet([.inputInterface, .arpSenderHardwareAddress, .arpSenderAddress], links), .verdict(.accept)),
            Rule(.counter, .verdict(.drop), comment: "not what this pod may send"),
        ])
        rules.chains = [
            "from-pod": fromPod,
            "prerouting": Chain(hook: Hook(.filter, .prerouting, Hook.bridgeFirst), [Rule(.verdict(.goto("from-pod")))]),
            // Frames to the link-local group addresses (01:80:c2:00:00:0x) come to the node past the prerouting hook.
            "input": Chain(hook: Hook(.filter, .input, Hook.bridgeFirst), [Rule(.verdict(.goto("from-pod")))]),
            "postrouting": Chain(
                hook: Hook(.filter, .postrouting, Hook.bridgeFirst),
                [
                    Rule(
                        ip, .inSet([.outputInterface, .destinationHardwareAddress, .destinationAddress(.ipv4)], links), .verdict(.accept)),
                    Rule(arp, .verdict(.accept)), Rule(.counter, .verdict(.drop), comment: "not for this pod"),
                ]),
        ]
        return rules
    }

    /// One pod's part of the table.
    package static func compile(_ link: PodLink, of pod: ObjectKey) -> Ruleset {
        var rules = Ruleset()
        rules.add(
            [.interface(link.name), .hardwareAddress(link.hardwareAddress), .address(link.address)], ElementData(comment: pod.description),
            to: links)
        return rules
    }
}
