import Model

/// What an agent may say of its pod. (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePodStatusUpdate)
enum PodStatusValidation {
    static let validate: KindDefinition.Validation = { object, old, _ in
        let status = object["status"]
        var causes = addresses(status)
        if let node = status["nominatedNodeName"].string, !node.isEmpty, node != old?["status"]["nominatedNodeName"].string,
            !Names.isSubdomain(node)
        {
            causes.append(.invalid("status.nominatedNodeName", .string(node), Names.subdomainMessage))
        }
        guard let old else { return causes }
        if status["qosClass"] != old["status"]["qosClass"] {
            causes.append(.invalid("status.qosClass", status["qosClass"], "field is immutable"))
        }
        for list in ["initContainerStatuses", "containerStatuses"] {
            causes += transitions(status[list], old["status"][list], list, old["spec"])
        }
        return causes
    }

    /// A pod has one address of each family, and the first of them is its address.
    private static func addresses(_ status: JSON) -> [StatusError.Cause] {
        let all =
            status["podIPs"].items.isEmpty
            ? (status["podIP"].string.map { [$0] } ?? []) : status["podIPs"].items.compactMap { $0["ip"].string }
        var causes = all.enumerated().compactMap { index, text in
            StatusValidation.isAddress(text)
                ? nil : StatusError.Cause.invalid("status.podIPs[\(index)]", .string(text), IPAddress.notAddress)
        }
        guard causes.isEmpty, all.count > 1 else { return causes }
        let value = JSON.array(all.map { ["IP": .string($0)] })
        if all.filter({ $0.contains(":") }).count > 1 || all.filter({ !$0.contains(":") }).count > 1 {
            causes.append(.invalid("status.podIPs", value, "may specify no more than one IP for each IP family"))
        }
        return causes
    }

    /// A container that has ended, and is not begun again, has ended for good.
    private static func transitions(_ now: JSON, _ then: JSON, _ list: String, _ spec: JSON) -> [StatusError.Cause] {
        let policy = spec["restartPolicy"].string ?? "Always"
        if policy == "Always" { return [] }
        let byName = Dictionary(now.items.map { ($0["name"], $0) }, uniquingKeysWith: { first, _ in first })
        let containers = spec["initContainers"].items + spec["containers"].items
        return then.items.enumerated().compactMap { index, before in
            let ended = before["state"]["terminated"]
            if ended.isNull || ended["exitCode"].int != 0 && policy == "OnFailure" { return nil }
            guard let after = byName[before["name"]], after["state"]["terminated"].isNull else { return nil }
            // One with a policy of its own goes by that.
            if containers.contains(where: { $0["name"] == before["name"] && !$0["restartPolicy"].isNull }) { return nil }
            return .forbidden("status.\(list)[\(index)].state", "may not be transitioned to non-terminated state")
        }
    }
}
