import Model

/// The networks that Services' addresses come from, and an object for each address that is taken. (KEP-1880)
extension KindDefinition {
    static let serviceCIDR = KindDefinition(
        .serviceCIDRs, "servicecidr", type: "networking:ServiceCIDR", [.status],
        columns: [.name, Column("CIDRs") { object, _ in object["spec"]["cidrs"].items.compactMap(\.string).joined(separator: ",") }, .age],
        validate: { object, old, _ in
            let cidrs = object["spec"]["cidrs"]
            if let old, old["spec"]["cidrs"] != cidrs { return [.invalid("spec.cidrs", cidrs, "field is immutable")] }
            if cidrs.items.isEmpty { return [.required("spec.cidrs", "at least one CIDR required")] }
            if cidrs.items.count > 2 { return [.invalid("spec.cidrs", cidrs, "may only hold up to 2 values")] }
            return cidrs.items.enumerated().compactMap { index, cidr in
                let text = cidr.string ?? ""
                guard let parsed = IPNetwork(text) else {
                    return .invalid("spec.cidrs[\(index)]", cidr, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
                }
                return parsed.description == text
                    ? nil : .invalid("spec.cidrs[\(index)]", cidr, "must be in canonical form (\"\(parsed)\")")
            }
        })

    static let ipAddress = KindDefinition(
        .ipAddresses, "ipaddress", ["ip"], type: "networking:IPAddress",
        columns: [
            .name,
            Column("ParentRef") { object, _ in
                let parent = object["spec"]["parentRef"]
                let group = parent["group"].string ?? ""
                let resource = group.isEmpty ? parent["resource"].string ?? "" : "\(parent["resource"].string ?? "").\(group)"
                return [resource, parent["namespace"].string ?? "", parent["name"].string ?? ""].filter { !$0.isEmpty }.joined(
                    separator: "/")
            },
        ],
        prepare: { object in
            let name = object["metadata"]["name"].string ?? ""
            if object["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"].isNull {
                object["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"] = .string(name.contains(":") ? "IPv6" : "IPv4")
            }
        },
        validate: { object, old, _ in
            let name = object["metadata"]["name"].string ?? "", parent = object["spec"]["parentRef"]
            var causes: [StatusError.Cause] = []
            if IPAddress(name)?.description != name {
                causes.append(.invalid("metadata.name", .string(name), "must be a valid IP address in canonical form"))
            }
            if parent.isNull { return causes + [.required("spec.parentRef")] }
            for field in ["resource", "name"] where parent[field].string ?? "" == "" { causes.append(.required("spec.parentRef.\(field)")) }
            if let old, old["spec"]["parentRef"] != parent { causes.append(.invalid("spec.parentRef", parent, "field is immutable")) }
            return causes
        }
    ).with { $0.nameRule = .free }
}
