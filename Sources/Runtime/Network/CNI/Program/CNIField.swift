import Model

/// What a key of a plugin's configuration holds. What is of another type is refused: a word that is taken for none would make another link
/// than the one that is written down.
enum CNIField {
    private enum Form: String {
        case text = "a text", flag = "true or false", number = "a whole number", list = "a list", object = "an object"

        func fits(_ value: JSON) -> Bool {
            switch self {
            case .text: value.string != nil
            case .flag: value.bool != nil
            case .number: value.int != nil
            case .list: value.array != nil
            case .object: value.object != nil
            }
        }
    }

    /// What `delegate` may say as well as what is around it.
    private static let link: [(String, Form)] = [
        ("bridge", .text), ("mtu", .number), ("hairpinMode", .flag), ("isDefaultGateway", .flag), ("ipMasq", .flag), ("type", .text),
    ]
    /// Each object before what is in it.
    private static let known: [([String], Form)] =
        [
            (["delegate"], .object), (["links"], .text), (["subnetFile"], .text), (["ipam"], .object), (["ipam", "type"], .text),
            (["ipam", "subnet"], .text), (["ipam", "ranges"], .list), (["ipam", "routes"], .list), (["dns"], .object),
            (["prevResult"], .object), (["prevResult", "ips"], .list), (["prevResult", "interfaces"], .list),
            (["prevResult", "routes"], .list), (["runtimeConfig"], .object), (["runtimeConfig", "mac"], .text), (["args"], .object),
            (["args", "cni"], .object), (["args", "cni", "mac"], .text),
        ] + link.flatMap { [([$0.0], $0.1), (["delegate", $0.0], $0.1)] }

    /// What the bridge plugin knows beside, and means no link of minik's.
    static let bridges = [
        "vlan", "vlanTrunk", "promiscMode", "forceAddress", "macspoofchk", "enabledad", "disableContainerInterface", "portIsolation",
    ]

    static func check(_ configuration: JSON) throws(CNIRefusal) {
        for (path, form) in known {
            let value = path.reduce(configuration) { $0[$1] }
            guard value.isNull || form.fits(value) else {
                throw CNIRefusal(
                    CNIRefusal.Code.undecodable, "\"\(path.joined(separator: "."))\" is \(value.text()), and \(form.rawValue) is meant")
            }
        }
    }
}
