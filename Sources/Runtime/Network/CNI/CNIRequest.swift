import Model

/// What a pod asks of its node's network by the annotation that the field has for it: addresses, a MAC.
///
///     v1.multus-cni.io/default-network: '[{"name": "lab", "ips": ["10.244.1.77"], "mac": "02:00:00:00:00:4d"}]'
///
/// (k8snetworkplumbingwg/multus-cni docs/configuration.md; the element is that of the Network Plumbing Working Group's
/// "Kubernetes Network Custom Resource Definition De-facto Standard", section 4.1)
package struct CNIRequest: Sendable, Hashable {
    package static let annotation = "v1.multus-cni.io/default-network"

    /// As they were written: with the length of their network, or without.
    package let addresses: [String]
    package let hardwareAddress: MACAddress?

    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package let reason: String
        package var description: String { "annotation \(CNIRequest.annotation): \(reason)" }
    }

    package init(addresses: [String] = [], hardwareAddress: MACAddress? = nil) {
        self.addresses = addresses
        self.hardwareAddress = hardwareAddress
    }

    /// `network`: the node's; a pod cannot have another.
    package init(_ pod: Pod, of network: String) throws(Malformed) {
        guard let text = pod.annotations[Self.annotation]?.trimmed, !text.isEmpty else {
            self.init()
            return
        }
        let element = try Self.element(text)
        guard let name = element["name"].string, !name.isEmpty else { throw Malformed(reason: "its network has no \"name\"") }
        guard name == network else {
            throw Malformed(reason: "it names network \"\(name)\", and the node's is \"\(network)\"")
        }
        let addresses = try element["ips"].items.map { (item) throws(Malformed) in
            guard let text = item.string, IPAddress(text) != nil || IPNetwork.parts(text) != nil else {
                throw Malformed(reason: "\"ips\" holds \(item.text()), which is no address")
            }
            return text
        }
        let hardwareAddress = try element["mac"].string.map { (text) throws(Malformed) in
            guard let mac = MACAddress(text), mac.bytes[0] & 1 == 0 else {
                throw Malformed(reason: "\"mac\" is \"\(text)\", which is no address of one device")
            }
            return mac
        }
        self.init(addresses: addresses, hardwareAddress: hardwareAddress)
    }

    /// A list of one, or only a name, with or without its namespace.
    private static func element(_ text: String) throws(Malformed) -> JSON {
        guard text.hasPrefix("[") || text.hasPrefix("{") else {
            return ["name": .string(text.split(separator: "/").last.map(String.init) ?? text)]
        }
        let json: JSON
        do { json = try JSON(parsing: text) } catch { throw Malformed(reason: "it is no JSON: \(error)") }
        guard let elements = json.array else { throw Malformed(reason: "it is no list of networks") }
        guard elements.count == 1 else { throw Malformed(reason: "it lists \(elements.count) networks, and a pod has one") }
        return elements[0]
    }

    /// By the names of the capabilities that plugins have for it. (containernetworking/cni CONVENTIONS.md)
    var capabilities: [(String, JSON)] {
        let addresses: [(String, JSON)] = addresses.isEmpty ? [] : [("ips", .array(addresses.map(JSON.string)))]
        return addresses + (hardwareAddress.map { [("mac", .string($0.description))] } ?? [])
    }
}
