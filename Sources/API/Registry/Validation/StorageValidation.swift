import Model

/// What classes and drivers of storage may say. (k8s.io/kubernetes/pkg/apis/storage/validation)
enum StorageValidation {
    private typealias Cause = StatusError.Cause

    static func storageClass(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        let provisioner = object["provisioner"].string ?? ""
        var causes: [Cause] = []
        if provisioner.isEmpty {
            causes.append(.required("provisioner"))
        } else {
            causes += Names.each("provisioner", provisioner, Names.qualifiedNameComplaints(provisioner.lowercased()))
        }
        if let policy = object["reclaimPolicy"].string, !policy.isEmpty, !["Delete", "Retain"].contains(policy) {
            causes.append(.notSupported("reclaimPolicy", .string(policy), "\"Delete\", \"Retain\""))
        }
        causes += parameters(object["parameters"], "parameters") + topologies(object["allowedTopologies"], "allowedTopologies")
        guard let old else { return causes }
        for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] where object[field] != old[field] {
            causes.append(.invalid(field, field == "provisioner" ? .string(provisioner) : object[field], "field is immutable"))
        }
        return causes
    }

    private static func parameters(_ parameters: JSON, _ path: String) -> [Cause] {
        let map = parameters.stringMap
        if map.count > 512 { return [.tooLong("Provisioner Parameters exceeded max allowed", 512)] }
        if map.keys.contains("") { return [.invalid(path, "", "field can not be empty.")] }
        let size = map.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        return size > 256 * 1024 ? [.tooLong(path, 256 * 1024)] : []
    }

    /// Terms of which none says what another does. (ValidateTopologySelectorTerm)
    private static func topologies(_ topologies: JSON, _ path: String) -> [Cause] {
        var seen: Set<JSON> = [], causes: [Cause] = []
        for (index, term) in topologies.items.enumerated() {
            let here = "\(path)[\(index)].matchLabelExpressions"
            let rules = term["matchLabelExpressions"].items
            var keys: Set<String> = [], map = JSON.emptyObject
            for (number, rule) in rules.enumerated() {
                let spot = "\(here)[\(number)]", key = rule["key"].string ?? ""
                var values: Set<JSON> = []
                if rule["values"].items.isEmpty { causes.append(.required("\(spot).values")) }
                for (place, value) in rule["values"].items.enumerated() where !values.insert(value).inserted {
                    causes.append(.duplicate("\(spot).values[\(place)]", value))
                }
                causes += Names.each("\(spot).key", key, Names.qualifiedNameComplaints(key))
                if !keys.insert(key).inserted { causes.append(.duplicate("\(spot).key", .string(key))) }
                map[key] = .array(values.sorted { $0.text() < $1.text() })
            }
            if rules.isEmpty || !seen.insert(map).inserted { causes.append(.duplicate(here, "")) }
        }
        return causes
    }

    /// (ValidateCSIDriverName)
    private static func driverName(_ name: String, _ path: String) -> [Cause] {
        if name.isEmpty { return [.required(path)] }
        if name.utf8.count > 63 { return [.tooLong(path, 63)] }
        return Names.each(path, name, Names.subdomainComplaints(name.lowercased()))
    }

    static func driver(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        let spec = object["spec"]
        var causes = driverName(object["metadata"]["name"].string ?? "", "metadata.name"), audiences: Set<JSON> = []
        for (index, request) in spec["tokenRequests"].items.enumerated() {
            let here = "spec.tokenRequests[\(index)]"
            if !audiences.insert(request["audience"]).inserted { causes.append(.duplicate("\(here).audience", request["audience"])) }
            guard let seconds = request["expirationSeconds"].int else { continue }
            if seconds < 600 {
                causes.append(.invalid("\(here).expirationSeconds", .int(seconds), "may not specify a duration less than 10 minutes"))
            }
            if seconds > 1 << 32 {
                causes.append(.invalid("\(here).expirationSeconds", .int(seconds), "may not specify a duration larger than 2^32 seconds"))
            }
        }
        if let period = spec["nodeAllocatableUpdatePeriodSeconds"].int, period < 10 {
            causes.append(
                .invalid("spec.nodeAllocatableUpdatePeriodSeconds", .int(period), "must be greater than or equal to 10 seconds"))
        }
        if !spec["serviceAccountTokenInSecrets"].isNull, spec["tokenRequests"].items.isEmpty {
            causes.append(
                .invalid(
                    "spec.serviceAccountTokenInSecrets", spec["serviceAccountTokenInSecrets"],
                    "serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
        }
        guard let old else { return causes }
        for field in ["attachRequired", "volumeLifecycleModes"] where spec[field] != old["spec"][field] {
            causes.append(
                .invalid(field == "attachRequired" ? "spec.attachedRequired" : "spec.\(field)", spec[field], "field is immutable"))
        }
        return causes
    }

    static func driversOfNode(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        var causes: [Cause] = [], names: Set<JSON> = []
        for (index, driver) in object["spec"]["drivers"].items.enumerated() {
            let here = "spec.drivers[\(index)]", node = driver["nodeID"].string ?? ""
            causes += driverName(driver["name"].string ?? "", "\(here).name")
            if node.isEmpty { causes.append(.required("\(here).nodeID")) }
            if node.utf8.count > 192 { causes.append(.invalid("\(here).nodeID", .string(node), "must be 192 characters or less")) }
            if let count = driver["allocatable"]["count"].int, count < 0 {
                causes.append(.invalid("\(here).allocatable.count", .int(count), "must be greater than or equal to 0"))
            }
            var keys: Set<JSON> = []
            for key in driver["topologyKeys"].items {
                if !keys.insert(key).inserted { causes.append(.duplicate("\(here).topologyKeys", key)) }
                causes += Names.each("\(here).topologyKeys", key.string ?? "", Names.qualifiedNameComplaints(key.string ?? ""))
            }
            if !names.insert(driver["name"]).inserted { causes.append(.duplicate("\(here).name", driver["name"])) }
            // What a driver said once stays; it may leave, and come anew.
            let then = old?["spec"]["drivers"].items.first { $0["name"] == driver["name"] }
            if var then {
                then["allocatable"] = driver["allocatable"]
                if then != driver { causes.append(.invalid("CSINode.spec.drivers", driver["name"], "field is immutable")) }
            }
        }
        return causes
    }

    static func storageCapacity(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        let name = object["storageClassName"].string ?? ""
        var causes: [Cause] = SelectorRules.validate(object["nodeTopology"], "nodeTopology")
        if name.isEmpty {
            causes.append(.required("storageClassName"))
        } else {
            causes += Names.each("storageClassName", name, Names.subdomainComplaints(name))
        }
        for field in ["capacity", "maximumVolumeSize"] {
            guard let amount = object[field].string.flatMap({ Quantity($0) }), amount.nano < 0 else { continue }
            causes.append(.invalid(field, object[field], "must be greater than or equal to 0"))
        }
        guard let old else { return causes }
        for field in ["nodeTopology", "storageClassName"] where object[field] != old[field] {
            causes.append(.invalid(field, object[field], "field is immutable"))
        }
        return causes
    }

    static func attachment(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        let spec = object["spec"], source = spec["source"]
        var causes = driverName(spec["attacher"].string ?? "", "spec.attacher")
        switch (source["inlineVolumeSpec"].isNull, (source["persistentVolumeName"].string ?? "").isEmpty) {
        case (true, true): causes.append(.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
        case (false, false):
            causes.append(.forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
        default: break
        }
        if (spec["nodeName"].string ?? "").isEmpty { causes.append(.required("spec.nodeName")) }
        if let old, old["spec"] != spec { causes.append(.invalid("spec", spec, "field is immutable")) }
        return causes
    }

    static func attributesClass(_ object: JSON, _ old: JSON?) -> [StatusError.Cause] {
        var causes = driverName(object["driverName"].string ?? "", "driverName")
        if object["parameters"].stringMap.isEmpty {
            causes.append(.required("parameters", "must contain at least one key/value pair"))
        } else {
            causes += parameters(object["parameters"], "parameters")
        }
        guard let old else { return causes }
        for field in ["driverName", "parameters"] where object[field] != old[field] {
            causes.append(.invalid(field, object[field], "field is immutable"))
        }
        return causes
    }
}
