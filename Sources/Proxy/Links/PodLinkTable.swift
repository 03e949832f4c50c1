import Model
import Rules

/// What may cross the links of a node's pods: table `bridge pod-links`.
///
/// Policies go by addresses, so an address must be its pod's. From a pod come packets with the pod's own addresses, and ARP or neighbour
/// discovery that claims nothing else; to a pod go packets for it, and ARP or neighbour discovery. One set a family holds all the links, so
/// that a frame costs one look-up at each end whatever the number of pods; what is in it by no rule is dropped: tagged frames, families
/// that the cluster does not have, broadcasts of IPv4, routers' advertisements, frames without an EtherType.
package enum PodLinkTable {
    package static let id = TableID(.bridge, "pod-links")
    /// Ethernet and IPv4, addresses of six and four bytes: only then are the sender's addresses where the rules look.
    private static let arpFormat: [UInt8] = [0, 1, 8, 0, 6, 4]
    /// Each pod's addresses of IPv6, that of the link among them: whom others may find at its port.
    private static let neighbours = "neighbours"

    private static func links(_ family: IPFamily) -> String { family == .ipv4 ? "links" : "links6" }
    private static func isOf(_ family: IPFamily) -> Statement { .match(.etherType, .etherType(family == .ipv4 ? 0x0800 : 0x86DD)) }
    private static func sender(_ address: Field) -> [Field] { [.inputInterface, .sourceHardwareAddress, address] }

    /// What stands in the table before the first pod: nothing passes.
    package static func base(_ families: [IPFamily] = [.ipv4]) -> Ruleset {
        var rules = Ruleset()
        for family in families {
            rules.sets[links(family)] = NamedSet(
                key: [.interface, .hardwareAddress, .address(family)], comment: "each pod's port, MAC and address")
        }
        if families.contains(.ipv6) {
            rules.sets[neighbours] = NamedSet(
                key: [.interface, .hardwareAddress, .address(.ipv6)], comment: "each pod's port, MAC and addresses on the link")
            rules.chains["advertisement"] = Chain([
                Rule(.inSet(sender(.neighbourTarget), neighbours), .inSet(sender(.sourceAddress(.ipv6)), neighbours), .verdict(.accept)),
                Rule(.counter, .verdict(.drop), comment: "not this pod's address"),
            ])
        }
        rules.chains["from-pod"] = Chain(
            families.flatMap(fromPod) + [Rule(.counter, .verdict(.drop), comment: "not what this pod may send")])
        rules.chains["prerouting"] = Chain(hook: Hook(.filter, .prerouting, Hook.bridgeFirst), [Rule(.verdict(.goto("from-pod")))])
        // Frames to the link-local group addresses (01:80:c2:00:00:0x) come to the node past the prerouting hook.
        rules.chains["input"] = Chain(hook: Hook(.filter, .input, Hook.bridgeFirst), [Rule(.verdict(.goto("from-pod")))])
        rules.chains["postrouting"] = Chain(
            hook: Hook(.filter, .postrouting, Hook.bridgeFirst),
            families.flatMap(toPod) + [Rule(.counter, .verdict(.drop), comment: "not for this pod")])
        return rules
    }

    private static func fromPod(_ family: IPFamily) -> [Rule] {
        let own = Rule(isOf(family), .inSet(sender(.sourceAddress(family)), links(family)), .verdict(.accept))
        switch family {
        case .ipv4:
            return [
                own,
                Rule(
                    .match(.etherType, .etherType(0x0806)), .match(.arpFormat, .bytes(arpFormat)),
                    .inSet(sender(.arpSenderAddress), links(family)),
                    .inSet([.inputInterface, .arpSenderHardwareAddress, .arpSenderAddress], links(family)), .verdict(.accept)),
            ]
        case .ipv6:
            func rule(_ type: UInt8, _ rest: Statement...) -> Rule { Rule([isOf(family)] + NeighbourDiscovery.matches(type) + rest) }
            return [
                rule(NeighbourDiscovery.advertisement, .verdict(.goto("advertisement"))), own,
                rule(NeighbourDiscovery.solicitation, .inSet(sender(.sourceAddress(family)), neighbours), .verdict(.accept)),
            ]
        }
    }

    private static func toPod(_ family: IPFamily) -> [Rule] {
        let own = Rule(
            isOf(family), .inSet([.outputInterface, .destinationHardwareAddress, .destinationAddress(family)], links(family)),
            .verdict(.accept))
        switch family {
        case .ipv4: return [own, Rule(.match(.etherType, .etherType(0x0806)), .verdict(.accept))]
        case .ipv6:
            return [own] + NeighbourDiscovery.types.map { Rule([isOf(family)] + NeighbourDiscovery.matches($0) + [.verdict(.accept)]) }
        }
    }

    /// One pod's part of the table, of one of its addresses.
    package static func compile(_ link: PodLink, of pod: ObjectKey) -> Ruleset {
        var rules = Ruleset()
        let family = link.address.family, comment = ElementData(comment: pod.description)
        func add(_ address: IPAddress, to set: String) {
            rules.add([.interface(link.name), .hardwareAddress(link.hardwareAddress), .address(address)], comment, to: set)
        }
        add(link.address, to: links(family))
        if family == .ipv6 { for address in [link.address, link.hardwareAddress.linkLocalAddress] { add(address, to: neighbours) } }
        return rules
    }
}
