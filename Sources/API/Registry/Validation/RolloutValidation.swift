import Model

/// How far a workload's rollout may go at once. (kubernetes pkg/apis/apps/validation)
enum RolloutValidation {
    typealias Validation = KindDefinition.Validation
    private typealias Cause = StatusError.Cause

    static let deployment: Validation = { object, _, _ in
        var causes: [Cause] = []
        let spec = object["spec"]
        if spec["strategy"]["type"].string == "RollingUpdate" {
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
        guard strategy["type"].string == "RollingUpdate" else { return [] }
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
        let partition = object["spec"]["updateStrategy"]["rollingUpdate"]["partition"]
        guard let number = partition.int, number < 0 else { return [] }
        return [.invalid("spec.updateStrategy.rollingUpdate.partition", partition, "must be greater than or equal to 0")]
    }

    /// A number, or a percentage: `25%`.
    private static func amount(_ value: JSON, _ path: String) -> [Cause] {
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

    private static func notMoreThanAll(_ value: JSON, _ path: String) -> [Cause] {
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
