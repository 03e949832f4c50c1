import Model

/// What a Job makes of a pod's failure, by its exit codes or conditions. (KEP-3329)
struct PodFailurePolicy {
    enum Action: Equatable {
        case failJob(message: String)
        case failIndex
        case ignore
        case count
    }

    private let rules: [JSON]

    /// Nil where a job has none.
    init?(_ json: JSON) {
        guard !json.isNull else { return nil }
        rules = json["rules"].items
    }

    /// The action of the first rule that a failed pod matches.
    func action(for pod: Pod) -> Action? {
        for (index, rule) in rules.enumerated() {
            guard let cause = Self.cause(rule, pod) else { continue }
            switch rule["action"].string {
            case "FailJob": return .failJob(message: "\(cause) matching FailJob rule at index \(index)")
            case "FailIndex": return .failIndex
            case "Ignore": return .ignore
            case "Count": return .count
            default: continue
            }
        }
        return nil
    }

    /// How a pod matches a rule, in words.
    private static func cause(_ rule: JSON, _ pod: Pod) -> String? {
        if !rule["onExitCodes"].isNull {
            return code(rule["onExitCodes"], pod).map { "Container \($0.container) for pod \(pod.key) failed with exit code \($0.code)" }
        }
        let condition = pod.status["conditions"].items.first { condition in
            rule["onPodConditions"].items.contains {
                $0["type"] == condition["type"] && $0["status"].string ?? "True" == condition["status"].string
            }
        }
        return condition.map { "Pod \(pod.key) has condition \($0["type"].string ?? "")" }
    }

    /// The first container that ended as the rule says: never one that succeeded, or still runs.
    private static func code(_ requirement: JSON, _ pod: Pod) -> (container: String, code: Int)? {
        let values = requirement["values"].items.compactMap(\.int)
        for status in pod.status["containerStatuses"].items + pod.status["initContainerStatuses"].items {
            guard let code = status["state"]["terminated"]["exitCode"].int, code != 0, let name = status["name"].string else { continue }
            if let wanted = requirement["containerName"].string, wanted != name { continue }
            if values.contains(code) == (requirement["operator"].string == "In") { return (name, code) }
        }
        return nil
    }
}
