import Host
import Model

/// How a container is to be linked, as a plugin's configuration says it: with the keys that flannel's and Calico's plugins have for it.
package struct CNILinkConfiguration: Sendable {
    /// Whose links they look like.
    package enum Kind: String, Sendable, CaseIterable {
        /// A port of a bridge, which has the first address of the node's range.
        case flannel
        /// No bridge: an address and a route for each, and a gateway that nobody has.
        case calico
    }

    package let kind: Kind
    package let bridge: String
    package let mtu: Int
    package let isHairpin: Bool
    package let isDefaultGateway: Bool
    /// The container's MAC, where somebody asks for one.
    package let hardwareAddress: MACAddress?
    /// What is told to the plugin that gives out addresses: all of the configuration, with the ranges that the node has.
    package let delegated: JSON
    /// The pod whose policies are calico-node's affair; nil where there is no pod, or nobody for its policies.
    package let workload: CalicoWorkload?

    package var ipam: JSON { delegated["ipam"] }

    package typealias Ask = (CalicoQuestion) throws(CNIRefusal) -> CalicoAnswer

    /// `text`: a file's; `ask`: of calico-node. Where a container goes, the node's range may be gone before it; what is left is taken back
    /// without.
    package init(
        _ call: CNICall, text: (_ file: String) -> String? = { Files.text($0) }, ask: Ask = { try CalicoDoor().ask($0) }
    ) throws(CNIRefusal) {
        let json = call.configuration
        try CNIField.check(json)
        kind = try Self.kind(json)
        let settings = try Self.settings(json)
        bridge = settings["bridge"].string ?? FlannelLayout.bridge
        isHairpin = settings["hairpinMode"].bool ?? true
        isDefaultGateway = settings["isDefaultGateway"].bool ?? true
        hardwareAddress = try Self.hardwareAddress(call)
        guard !bridge.isEmpty, bridge.utf8.count <= 15, !bridge.contains("/") else {
            throw Self.refusal("\"bridge\" is \"\(bridge)\", which cannot be a link's name")
        }
        workload = kind == .calico && json["policy"]["type"] == "k8s" ? CalicoWorkload(call) : nil
        let isCalico = kind == .calico
        // In Calico's manifests 0 stands for what calico-node finds out.
        let asked = settings["mtu"].int.flatMap { isCalico && $0 == 0 ? nil : $0 }
        if let asked, !(68...65535).contains(asked) { throw Self.refusal("\"mtu\" is \(asked), and 68 to 65535 is meant") }
        var delegated = json, subnet: FlannelSubnet?
        if delegated["ipam"]["type"].isNull { delegated["ipam"]["type"] = "host-local" }
        if Self.asksForRange(json, kind) {
            var ranges = Self.known(json["prevResult"])
            do {
                if workload != nil {
                    ranges = try ask(.ranges).ranges
                } else {
                    let file = json["subnetFile"].string ?? FlannelSubnet.path, found = try Self.subnet(text(file), file)
                    (subnet, ranges) = (found, found.places.map(\.subnet))
                }
            } catch { if call.command != .delete { throw error } }
            delegated["ipam"]["subnet"] = .null
            delegated["ipam"]["ranges"] = .array(ranges.map { [["subnet": .string($0.description)]] })
            let others = kind == .flannel ? subnet?.places.map(\.network) ?? [] : []
            delegated["ipam"]["routes"] = .array(json["ipam"]["routes"].items + others.map { ["dst": .string($0.description)] })
        }
        if call.command == .add { delegated["prevResult"] = .null }
        self.delegated = delegated
        let found = isCalico ? text(CalicoDoor.mtu).flatMap { Int($0.trimmed) } : nil
        mtu = asked ?? subnet?.mtu ?? found ?? 1500
    }

    private static func refusal(_ message: String, _ details: String = "") -> CNIRefusal {
        CNIRefusal(CNIRefusal.Code.configuration, message, details: details)
    }

    /// Called by one of their names it is meant by the name; else the configuration says which.
    private static func kind(_ json: JSON) throws(CNIRefusal) -> Kind {
        if let kind = json["type"].string.flatMap({ Kind(rawValue: $0) }) { return kind }
        let known = Kind.allCases.map(\.rawValue).joined(separator: " or ")
        guard !json["links"].isNull else { throw refusal("\"links\" is missing: \(known)") }
        guard let kind = json["links"].string.flatMap({ Kind(rawValue: $0) }) else {
            throw refusal("\"links\" is \(json["links"].text()), and \(known) is meant")
        }
        return kind
    }

    /// What flannel's plugin would tell the bridge plugin stands in `delegate`.
    private static func settings(_ json: JSON) throws(CNIRefusal) -> JSON {
        let delegate = json["delegate"]
        for key in ["name", "ipam"] where !delegate[key].isNull {
            throw refusal("'delegate' dictionary must not have '\(key)' field", "it belongs beside it")
        }
        if let type = delegate["type"].string, type != "bridge" {
            throw CNIRefusal(CNIRefusal.Code.unsupportedField, "'delegate.type' is \"\(type)\": minik-cni makes a bridge's ports itself")
        }
        var settings = json
        for (key, value) in delegate.object ?? JSONObject() { settings[key] = value }
        for key in CNIField.bridges where !settings[key].isNull && ![false, 0, [], ""].contains(settings[key]) {
            throw CNIRefusal(
                CNIRefusal.Code.unsupportedField, "'\(key)': minik-cni does not do this; the bridge plugin does, with links of its own")
        }
        if settings["ipMasq"].bool == true {
            throw CNIRefusal(
                CNIRefusal.Code.unsupportedField, "'ipMasq': minik-cni hides no addresses; flanneld --ip-masq does, or a rule of yours")
        }
        return settings
    }

    private static func asksForRange(_ json: JSON, _ kind: Kind) -> Bool {
        let ipam = json["ipam"]
        if ipam["subnet"] == "usePodCidr" { return true }
        guard kind == .flannel, ["host-local", nil].contains(ipam["type"].string) else { return false }
        return ipam["subnet"].isNull && ipam["ranges"].isNull && json["runtimeConfig"]["ipRanges"].isNull
    }

    private static func subnet(_ text: String?, _ file: String) throws(CNIRefusal) -> FlannelSubnet {
        guard let text else {
            throw CNIRefusal(
                CNIRefusal.Code.notAvailable, "failed to load flannel 'subnet.env' file: open \(file): no such file or directory",
                details: "flanneld writes it; or say \"ipam\": {\"type\": \"host-local\", \"subnet\": ...}")
        }
        do { return try FlannelSubnet(reading: text, file: file) } catch { throw refusal("\(error)") }
    }

    /// The ranges of the addresses that a container has. Host-local finds what a container has by the container, and wants a range
    /// nevertheless: one that nobody has. (RFC 5737)
    private static func known(_ result: JSON) -> [IPNetwork] {
        let found = result["ips"].items.compactMap { $0["address"].string.flatMap { IPNetwork.parts($0) } }.map { IPNetwork($0, $1) }
        return found.isEmpty ? [IPNetwork(IPAddress(ipv4: 0xC000_0200), 24)] : found
    }

    /// Each of the ways that runtimes have. (containernetworking/cni CONVENTIONS.md)
    private static func hardwareAddress(_ call: CNICall) throws(CNIRefusal) -> MACAddress? {
        let json = call.configuration
        guard let text = json["runtimeConfig"]["mac"].string ?? json["args"]["cni"]["mac"].string ?? call.arguments["MAC"] else {
            return nil
        }
        guard let address = MACAddress(text), address.bytes[0] & 1 == 0, address.bytes.contains(where: { $0 != 0 }) else {
            throw refusal("the MAC \"\(text)\" is no address of one device")
        }
        return address
    }
}
