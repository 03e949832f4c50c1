/// What a pod's containers ask for, taken together.
/// (kubernetes.io/docs/concepts/workloads/pods/init-containers, "Resource sharing within containers"; KEP-753)
package enum PodResources {
    /// The pod's requests or limits (`half`) by resource. Init containers run one after the other, each beside the sidecars that began
    /// before it.
    package static func total(_ spec: JSON, _ half: String) -> [String: Quantity] {
        func amounts(_ container: JSON) -> [String: Quantity] {
            var amounts = container["resources"][half].stringMap.compactMapValues { Quantity($0) }
            guard half == "requests" else { return amounts }
            for (name, limit) in container["resources"]["limits"].stringMap where amounts[name] == nil { amounts[name] = Quantity(limit) }
            return amounts
        }
        var sidecars: [String: Quantity] = [:], peak: [String: Quantity] = [:]
        for container in spec["initContainers"].items {
            let own = amounts(container)
            if container["restartPolicy"].string == "Always" {
                sidecars.merge(own, uniquingKeysWith: +)
            } else {
                peak.merge(own.merging(sidecars, uniquingKeysWith: +), uniquingKeysWith: max)
            }
        }
        var total = sidecars
        for container in spec["containers"].items { total.merge(amounts(container), uniquingKeysWith: +) }
        total.merge(peak, uniquingKeysWith: max)
        if half == "requests" || !total.isEmpty {
            for (name, overhead) in spec["overhead"].stringMap.compactMapValues({ Quantity($0) })
            where half == "requests" || total[name] != nil {
                total[name] = (total[name] ?? Quantity(0)) + overhead
            }
        }
        return total
    }
}
