import Model

/// What a CronJob must be. (k8s.io/kubernetes/pkg/apis/batch/validation, in its words)
enum CronJobValidation {
    static func validate(_ object: JSON, old: JSON?) -> [StatusError.Cause] {
        let spec = object["spec"], template = spec["jobTemplate"]["spec"]
        var causes: [StatusError.Cause] = []
        causes += schedule(spec["schedule"].string ?? "")
        for field in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            if let value = spec[field].int, value < 0 {
                causes.append(.invalid("spec.\(field)", .int(value), "must be greater than or equal to 0"))
            }
        }
        if let zone = spec["timeZone"].string, old?["spec"]["timeZone"].string != zone { causes += timeZone(zone) }
        causes += JobValidation.validate(template, "spec.jobTemplate.spec")
        if !template["selector"].isNull {
            causes.append(.invalid("spec.jobTemplate.spec.selector", template["selector"], "`selector` will be auto-generated"))
        }
        if template["manualSelector"].bool == true {
            causes.append(.notSupported("spec.jobTemplate.spec.manualSelector", true, "\"nil\", \"false\""))
        }
        // Jobs are called after it, and the time that follows has eleven characters.
        if old == nil, let name = object["metadata"]["name"].string, name.utf8.count > 52 {
            causes.append(.invalid("metadata.name", .string(name), "must be no more than 52 characters"))
        }
        return causes
    }

    private static func schedule(_ text: String) -> [StatusError.Cause] {
        if text.isEmpty { return [.required("spec.schedule")] }
        if text.contains("TZ") {
            return [.invalid("spec.schedule", .string(text), "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")]
        }
        do { _ = try CronSchedule(text) } catch { return [.invalid("spec.schedule", .string(text), "\(error)")] }
        return []
    }

    private static func timeZone(_ name: String) -> [StatusError.Cause] {
        func refuse(_ why: String) -> [StatusError.Cause] { [.invalid("spec.timeZone", .string(name), why)] }
        if name.isEmpty { return refuse("timeZone must be nil or non-empty string") }
        let isLocal = name.lowercased() == "local"
        let causes =
            isLocal ? refuse("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones") : []
        // To Go, the machine's own zone is one.
        if name == "Local" { return causes }
        do { _ = try TimeZone(named: name) } catch { return causes + refuse("\(error)") }
        return causes
    }
}
