import Model

/// How far a workload's rollout may go at once. (kubernetes pkg/apis/apps/validation)
enum RolloutValidation {
    typealias Validation = KindDefinition.Validation
    private typealias Cause = StatusError.Cause

    static let deployment: Validation = { object, _, _ in
        var causes: [Cause] = []
        let spec = object["spec"], strategy = spec["strategy"]
        switch strategy["type"].string ?? "" {
        case "RollingUpdate": break
        case "Recreate":
            if !strategy["rollingUpdate"].isNull {
                causes.append(.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"))
            }
        // Without a spec there is nothing to have filled in.
        case "" where spec["strategy"].isNull: break
        default: causes.append(.notSupported("spec.strategy", strategy, "\"Recreate\", \"RollingUpdate\""))
        }
        if strategy["type"].string == "RollingUpdate" {
            let path = "spec.strategy.rollingUpdate", rolling = spec["strategy"]["rollingUpdate"]
            let unavailable = rolling["maxUnavailable"], surge = rolling["maxSurge"]
            causes += amount(unavailable, "\(path).maxUnavailable") + amount(surge, "\(path).maxSurge")
            if isZero(unavailable), isZero(surge) {
                causes.append(.invalid("\(path).maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
            }
            causes += notMoreThanAll(unavailable, "\(path).maxUnavailable")
        }
        if let deadline = spec["progressDeadlineSeconds"].int {
            let path = "spec.progressDeadlineSeconds"
            if deadline < 0 { causes.append(.invalid(path, .int(deadline), "must be greater than or equal to 0")) }
            if deadline <= spec["minReadySeconds"].int ?? 0 {
                causes.append(.invalid(path, .int(deadline), "must be greater than minReadySeconds"))
            }
        }
        return causes
    }

    static let daemonSet: Validation = { object, _, _ in
        let strategy = object["spec"]["updateStrategy"]
        guard strategy["type"].string == "RollingUpdate" else {
            return strategy["type"].string == "OnDelete" || strategy.isNull
                ? [] : [.notSupported("spec.updateStrategy", strategy, "\"RollingUpdate\", \"OnDelete\"")]
        }
        let path = "spec.updateStrategy.rollingUpdate", rolling = strategy["rollingUpdate"]
        let unavailable = rolling["maxUnavailable"], surge = rolling["maxSurge"]
        var causes = amount(unavailable, "\(path).maxUnavailable") + amount(surge, "\(path).maxSurge")
        switch (isZero(unavailable), isZero(surge)) {
        case (false, false): causes.append(.invalid("\(path).maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
        case (true, true): causes.append(.required("\(path).maxUnavailable", "cannot be 0 when maxSurge is 0"))
        default: break
        }
        return causes + notMoreThanAll(unavailable, "\(path).maxUnavailable") + notMoreThanAll(surge, "\(path).maxSurge")
    }

    static let statefulSet: Validation = { object, _, _ in
        let spec = object["spec"], strategy = spec["updateStrategy"], rolling = strategy["rollingUpdate"]
        var causes: [Cause] = []
        switch strategy["type"].string ?? "" {
        case "RollingUpdate": break
        case "OnDelete":
            if !rolling.isNull {
                causes.append(
                    .invalid("spec.updateStrategy.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'"))
            }
        case "" where strategy.isNull: break
        default: causes.append(.invalid("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
        }
        if let number = rolling["partition"].int, number < 0, strategy["type"].string == "RollingUpdate" {
            causes.append(.invalid("spec.updateStrategy.rollingUpdate.partition", .int(number), "must be greater than or equal to 0"))
        }
        if let policy = spec["podManagementPolicy"].string, !["OrderedReady", "Parallel"].contains(policy) {
            causes.append(.invalid("spec.podManagementPolicy", .string(policy), "must be 'OrderedReady' or 'Parallel'"))
        }
        if let start = spec["ordinals"]["start"].int, start < 0 {
            causes.append(.invalid("spec.ordinals.start", .int(start), "must be greater than or equal to 0"))
        }
        for field in ["whenDeleted", "whenScaled"] {
            let policy = spec["persistentVolumeClaimRetentionPolicy"][field]
            guard let text = policy.string, !["Retain", "Delete"].contains(text) else { continue }
            causes.append(
                .notSupported("spec.persistentVolumeClaimRetentionPolicy.\(field)", policy, "\"Retain\", \"Delete\""))
        }
        return causes
    }

    /// A number, or a percentage: `25%`.
    static func amount(_ value: JSON, _ path: String) -> [StatusError.Cause] {
        if let text = value.string, percent(text) == nil {
            return [
                .invalid(
                    path, value,
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
                )
            ]
        }
        guard let number = value.int, number < 0 else { return [] }
        return [.invalid(path, value, "must be greater than or equal to 0")]
    }

    static func notMoreThanAll(_ value: JSON, _ path: String) -> [StatusError.Cause] {
        guard let share = value.string.flatMap(percent), share > 100 else { return [] }
        return [.invalid(path, value, "must not be greater than 100%")]
    }

    private static func isZero(_ value: JSON) -> Bool {
        if let text = value.string { return (percent(text) ?? 0) == 0 }
        return (value.int ?? 0) == 0
    }

    private static func percent(_ text: String) -> Int? {
        guard text.hasSuffix("%") else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(digits) ?? .max
    }
}
