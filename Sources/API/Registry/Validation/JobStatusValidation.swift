import Model

/// How a job's status may say that the job is over. (k8s.io/kubernetes/pkg/apis/batch/validation, validateJobStatus)
enum JobStatusValidation {
    static let validate: KindDefinition.Validation = { object, _, _ in
        let status = object["status"], conditions = status["conditions"]
        var causes = ["active", "succeeded", "failed", "ready", "terminating"].flatMap {
            StatusValidation.notNegative(status[$0], "status.\($0)")
        }
        func holds(_ type: String) -> Bool { conditions.condition(type) == "True" }
        func refuse(_ detail: String) { causes.append(.invalid("status.conditions", "", detail)) }
        let isComplete = holds("Complete"), isFailed = holds("Failed")
        if isComplete, isFailed { refuse("cannot set Complete=True and Failed=true conditions") }
        if isComplete, status["completionTime"].isNull {
            causes.append(.required("status.completionTime", "completionTime is required for Complete jobs"))
        }
        if !isComplete, !status["completionTime"].isNull {
            causes.append(
                .invalid(
                    "status.completionTime", status["completionTime"], "cannot set completionTime when there is no Complete=True condition")
            )
        }
        if isFailed, !holds("FailureTarget") { refuse("cannot set Failed=True condition without the FailureTarget=true condition") }
        if isComplete, !holds("SuccessCriteriaMet") {
            refuse("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
        }
        if isComplete || isFailed, status["startTime"].isNull {
            causes.append(.required("status.startTime", "startTime is required for finished job"))
        }
        return causes
    }
}
