import Model

/// The networks that Services' addresses come from, and an object for each address that is taken. (KEP-1880)
extension KindDefinition {
    static let serviceCIDR = KindDefinition(
        .serviceCIDRs, "servicecidr", type: "networking:ServiceCIDR", [.status],
        columns: [.name, Column("CIDRs") { object, _ in object["spec"]["cidrs"].items.compactMap(\.string).joined(separator: ",") }, .age],
        validate: { object, old, _ in
            let cidrs = object["spec"]["cidrs"]
            if let old, old["spec"]["cidrs"] != cidrs {
                let then = old["spec"]["cidrs"].items
                if then.count != cidrs.items.count { return [.invalid("spec.cidrs", cidrs, "field is immutable")] }
                return zip(then, cidrs.items).enumerated().filter { $1.0 != $1.1 }.map {
                    .invalid("spec.cidrs[\($0)]", $1.1, "field is immutable")
                }
            }
            if cidrs.items.isEmpty { return [.required("spec.cidrs", "at least one CIDR required")] }
            if cidrs.items.count > 2 { return [.invalid("spec.cidrs", cidrs, "may only hold up to 2 values")] }
            let families = cidrs.items.compactMap { IPNetwork($0.string ?? "")?.family }
            if families.count == 2, families[0] == families[1] {
                let why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
                return [.invalid("spec.cidrs", cidrs, why)]
            }
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
        validate: { object, old, _ in
            let name = object["metadata"]["name"].string ?? "", parent = object["spec"]["parentRef"]
            var causes: [StatusError.Cause] = []
            if !name.isEmpty, IPAddress(name)?.description != name {
                causes.append(.invalid("metadata.name", .string(name), "must be a valid IP address in canonical form"))
            }
            if parent.isNull {
                causes.append(.required("spec.parentRef"))
                return causes + (old == nil ? [] : [.invalid("spec.parentRef", .null, "field is immutable")])
            }
            for field in ["resource", "name"] where parent[field].string ?? "" == "" { causes.append(.required("spec.parentRef.\(field)")) }
            if let old, old["spec"]["parentRef"] != parent { causes.append(.invalid("spec.parentRef", parent, "field is immutable")) }
            return causes
        }
    ).with { $0.nameRule = .free }
}
