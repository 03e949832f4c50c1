import Model

extension KindDefinition {
    private static func usage(_ names: (String) -> Bool, _ object: JSON) -> String {
        object["status"]["hard"].stringMap.filter { names($0.key) }.sorted { $0.key < $1.key }
            .map { "\($0.key): \(object["status"]["used"][$0.key].string ?? "0")/\($0.value)" }.joined(separator: ", ")
    }

    static let resourceQuota = KindDefinition(
        .resourceQuotas, "resourcequota", ["quota"], type: "core:ResourceQuota", [.status],
        columns: [
            .name, Column("Request") { object, _ in usage({ !$0.hasPrefix("limits") }, object) },
            Column("Limit") { object, _ in usage({ $0.hasPrefix("limits") }, object) }, .age,
        ], validate: QuotaValidation.quota
    ).with {
        $0.hooks = quotaHooks
        $0.validateStatus = StatusValidation.resourceQuota
    }

    static let limitRange = KindDefinition(
        .limitRanges, "limitrange", ["limits"], type: "core:LimitRange",
        prepare: { object in
            // Who has no name is called by the number that nobody else has.
            if object["metadata"]["name"].isNull { object["metadata"]["name"] = object["metadata"]["uid"] }
            // What is not said follows from what is: a default from the maximum, a default request from the default or the minimum.
            guard var limits = object["spec"]["limits"].array else { return }
            for index in limits.indices where limits[index]["type"].string == "Container" {
                for (name, value) in limits[index]["max"].stringMap where limits[index]["default"][name].isNull {
                    limits[index]["default"][name] = .string(value)
                }
                for source in ["default", "min"] {
                    for (name, value) in limits[index][source].stringMap where limits[index]["defaultRequest"][name].isNull {
                        limits[index]["defaultRequest"][name] = .string(value)
                    }
                }
            }
            object["spec"]["limits"] = .array(limits)
        }, validate: QuotaValidation.limitRange
    ).with { $0.allowsCreateOnUpdate = true }

    static let podDisruptionBudget = KindDefinition(
        .podDisruptionBudgets, "poddisruptionbudget", ["pdb"], type: "policy:PodDisruptionBudget", [.status], hasGeneration: true,
        columns: [
            .name, Column("Min Available") { object, _ in amount(object["spec"]["minAvailable"]) },
            Column("Max Unavailable") { object, _ in amount(object["spec"]["maxUnavailable"]) },
            count("Allowed Disruptions", "status", "disruptionsAllowed"), .age,
        ],
        validate: { object, _, _ in
            var causes: [StatusError.Cause] = []
            if !object["spec"]["minAvailable"].isNull, !object["spec"]["maxUnavailable"].isNull {
                causes.append(.invalid("spec", object["spec"], "minAvailable and maxUnavailable cannot be both set"))
            }
            for field in ["minAvailable", "maxUnavailable"] {
                let value = object["spec"][field]
                causes += RolloutValidation.amount(value, "spec.\(field)") + RolloutValidation.notMoreThanAll(value, "spec.\(field)")
            }
            return causes + SelectorRules.validate(object["spec"]["selector"], "spec.selector")
        }
    ).with {
        $0.nameRule = .pathSegment
        $0.validateStatus = StatusValidation.counts(["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"])
    }

    private static func amount(_ value: JSON) -> String { value.string ?? value.int.map(String.init) ?? "N/A" }

    static let lease = KindDefinition(
        .leases, "lease", type: "coordination:Lease",
        columns: [.name, Column("Holder") { object, _ in object["spec"]["holderIdentity"].string ?? "" }, .age],
        validate: { object, _, _ in
            var causes: [StatusError.Cause] = []
            if let seconds = object["spec"]["leaseDurationSeconds"].int, seconds <= 0 {
                causes.append(.invalid("spec.leaseDurationSeconds", .int(seconds), "must be greater than 0"))
            }
            if let count = object["spec"]["leaseTransitions"].int, count < 0 {
                causes.append(.invalid("spec.leaseTransitions", .int(count), "must be greater than or equal to 0"))
            }
            return causes
        }
    ).with {
        $0.allowsCreateOnUpdate = true
        $0.allowsUnconditionalUpdate = false
    }
}
