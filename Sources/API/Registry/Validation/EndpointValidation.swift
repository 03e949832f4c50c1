import Model

/// What EndpointSlices and Endpoints may say. (kubernetes pkg/apis/discovery/validation, pkg/apis/core/validation)
enum EndpointValidation {
    typealias Validation = KindDefinition.Validation
    private typealias Cause = StatusError.Cause

    static let slice: Validation = { object, old, _ in
        var causes: [Cause] = []
        let type = object["addressType"]
        if type.isNull || type.string == "" {
            causes.append(.required("addressType"))
        } else if !["FQDN", "IPv4", "IPv6"].contains(type.string) {
            causes.append(.notSupported("addressType", type, "\"FQDN\", \"IPv4\", \"IPv6\""))
        }
        if let old, old["addressType"] != type {
            causes.append(.invalid("addressType", type.isNull ? "" : type, "field is immutable"))
        }
        for (index, endpoint) in object["endpoints"].items.enumerated() {
            causes += sliceEndpoint(endpoint, "endpoints[\(index)]", type.string ?? "")
        }
        var names: Set<String> = []
        for (index, port) in object["ports"].items.enumerated() {
            let path = "ports[\(index)]", name = port["name"].string ?? ""
            if !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
            if !name.isEmpty, !Names.isLabel(name) { causes.append(.invalid("\(path).name", .string(name), Names.labelMessage)) }
            causes += transport(port["protocol"], "\(path).protocol") + application(port["appProtocol"], "\(path).appProtocol")
        }
        return causes
    }

    private static func sliceEndpoint(_ endpoint: JSON, _ path: String, _ type: String) -> [Cause] {
        var causes: [Cause] = []
        let addresses = endpoint["addresses"].items
        if addresses.isEmpty { causes.append(.required("\(path).addresses", "must contain at least 1 address")) }
        for (index, address) in addresses.enumerated() {
            let text = address.string ?? "", here = "\(path).addresses[\(index)]"
            switch type {
            case "IPv4", "IPv6":
                guard let parsed = IPAddress(text) else {
                    causes.append(.invalid(here, .string(text), IPAddress.complaint(text)))
                    continue
                }
                if parsed.family.rawValue != type {
                    causes.append(.invalid("\(path).addresses", address, "must be an \(type) address"))
                }
                causes += special(parsed, here, text)
            case "FQDN":
                if !Names.isSubdomain(text) { causes.append(.invalid(here, .string(text), Names.subdomainMessage)) }
            default: break
            }
        }
        if let name = endpoint["nodeName"].string, !Names.isSubdomain(name) {
            causes.append(.invalid("\(path).nodeName", .string(name), Names.subdomainMessage))
        }
        if let name = endpoint["hostname"].string, !Names.isLabel(name) {
            causes.append(.invalid("\(path).hostname", .string(name), Names.labelMessage))
        }
        for (hint, words) in [("forZones", Names.labelValueComplaints), ("forNodes", Names.subdomainComplaints)] {
            var names: Set<String> = []
            for (index, item) in endpoint["hints"][hint].items.enumerated() {
                let name = item["name"].string ?? "", here = "\(path).hints.\(hint)[\(index)].name"
                if !names.insert(name).inserted { causes.append(.duplicate(here, .string(name))) }
                if hint == "forNodes" || !name.isEmpty { causes += Names.each(here, name, words(name)) }
            }
        }
        return causes
    }

    static let endpoints: Validation = { object, _, _ in
        object["subsets"].items.enumerated().flatMap { index, subset -> [Cause] in
            let path = "subsets[\(index)]", lists = ["addresses", "notReadyAddresses"], ports = subset["ports"].items
            if lists.allSatisfy({ subset[$0].items.isEmpty }) {
                return [.required(path, "must specify `addresses` or `notReadyAddresses`")]
            }
            return lists.flatMap { list in
                subset[list].items.enumerated().flatMap { address($1, "\(path).\(list)[\($0)]") }
            } + ports.enumerated().flatMap { port($1, "\(path).ports[\($0)]", isOnly: ports.count == 1) }
        }
    }

    private static func address(_ address: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let text = address["ip"].string ?? "", complaint = IPAddress.complaint(text)
        if let parsed = IPAddress(text) {
            causes += special(parsed, "\(path).ip", text)
        } else {
            causes.append(.invalid("\(path).ip", .string(text), complaint))
            // It is read twice, and what is no address at all is told twice.
            if complaint == IPAddress.notAddress { causes.append(.invalid("\(path).ip", .string(text), "must be a valid IP address")) }
        }
        if let name = address["hostname"].string, !name.isEmpty, !Names.isLabel(name) {
            causes.append(.invalid("\(path).hostname", .string(name), Names.labelMessage))
        }
        if let name = address["nodeName"].string, !Names.isSubdomain(name) {
            causes.append(.invalid("\(path).nodeName", .string(name), Names.subdomainMessage))
        }
        return causes
    }

    private static func port(_ port: JSON, _ path: String, isOnly: Bool) -> [Cause] {
        var causes: [Cause] = []
        let name = port["name"].string ?? "", number = port["port"].int ?? 0
        if name.isEmpty {
            if !isOnly { causes.append(.required("\(path).name")) }
        } else if !Names.isLabel(name) {
            causes.append(.invalid("\(path).name", .string(name), Names.labelMessage))
        }
        if !(1...65535).contains(number) {
            causes.append(.invalid("\(path).port", .int(number), "must be between 1 and 65535, inclusive"))
        }
        return causes + transport(port["protocol"], "\(path).protocol") + application(port["appProtocol"], "\(path).appProtocol")
    }

    private static func application(_ name: JSON, _ path: String) -> [Cause] {
        name.string.map { Names.each(path, $0, Names.qualifiedNameComplaints($0)) } ?? []
    }

    private static func transport(_ name: JSON, _ path: String) -> [Cause] {
        guard let text = name.string, !text.isEmpty, TransportProtocol(rawValue: text) == nil else { return [] }
        return [.notSupported(path, name, "\"SCTP\", \"TCP\", \"UDP\"")]
    }

    /// Addresses that lead a node to itself, or to no host at all.
    static func special(_ address: IPAddress, _ path: String, _ text: String) -> [StatusError.Cause] {
        let words: String? =
            if address.isUnspecified {
                "may not be unspecified (0.0.0.0)"
            } else if address.isLoopback {
                "may not be in the loopback range (127.0.0.0/8, ::1/128)"
            } else if address.isLinkLocal {
                "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
            } else if address.isLinkLocalMulticast {
                "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
            } else {
                nil
            }
        return words.map { [.invalid(path, .string(text), $0)] } ?? []
    }
}
