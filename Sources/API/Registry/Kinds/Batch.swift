import Model

extension KindDefinition {
    static let job = KindDefinition(
        .jobs, "job", type: "batch:Job", [.status], hasGeneration: true,
        columns: [
            .name,
            Column("Status") { object, _ in
                let conditions = object["status"]["conditions"]
                if conditions.condition("Complete") == "True" { return "Complete" }
                if conditions.condition("Failed") == "True" { return "Failed" }
                if !object["metadata"]["deletionTimestamp"].isNull { return "Terminating" }
                if conditions.condition("Suspended") == "True" { return "Suspended" }
                if conditions.condition("FailureTarget") == "True" { return "FailureTarget" }
                return conditions.condition("SuccessCriteriaMet") == "True" ? "SuccessCriteriaMet" : "Running"
            },
            Column("Completions") { object, _ in
                let done = object["status"]["succeeded"].int ?? 0
                if let wanted = object["spec"]["completions"].int { return "\(done)/\(wanted)" }
                let parallel = object["spec"]["parallelism"].int ?? 1
                return parallel > 1 ? "\(done)/1 of \(parallel)" : "\(done)/1"
            },
            Column("Duration") { object, now in
                guard let start = object["status"]["startTime"].string.flatMap(Timestamp.init) else { return "" }
                let end = object["status"]["completionTime"].string.flatMap(Timestamp.init) ?? now
                return humanDuration(seconds: end.seconds - start.seconds)
            },
            .age, containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { object in
            PodRules.prepare(&object["spec"]["template"]["spec"])
            if object["spec"]["completions"].isNull, object["spec"]["parallelism"].isNull { object["spec"]["completions"] = 1 }
            if object["spec"]["parallelism"].isNull { object["spec"]["parallelism"] = 1 }
            if object["spec"]["podReplacementPolicy"].isNull {
                object["spec"]["podReplacementPolicy"] = object["spec"]["podFailurePolicy"].isNull ? "TerminatingOrFailed" : "Failed"
            }
            guard object["spec"]["manualSelector"].bool != true, let uid = object["metadata"]["uid"].string else { return }
            // The server chooses a selector that no other job can have.
            let name = object["metadata"]["name"]
            for prefix in ["batch.kubernetes.io/", ""] {
                object["spec"]["template"]["metadata"]["labels"]["\(prefix)controller-uid"] = .string(uid)
                object["spec"]["template"]["metadata"]["labels"]["\(prefix)job-name"] = name
            }
            if object["spec"]["selector"].isNull { object["spec"]["selector"] = ["matchLabels": ["batch.kubernetes.io/controller-uid": .string(uid)]] }
        },
        validate: { object, old, context in
            let policy = object["spec"]["template"]["spec"]["restartPolicy"].string ?? "Always"
            var causes: [StatusError.Cause] = []
            if !["OnFailure", "Never"].contains(policy) {
                causes.append(
                    StatusError.Cause(
                        reason: "FieldValueRequired", message: "Required value: valid values: \"OnFailure\", \"Never\"",
                        field: "spec.template.spec.restartPolicy"))
            }
            causes += PodValidation.validate(object["spec"]["template"]["spec"], "spec.template.spec")
            for field in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
                if let value = object["spec"][field].int, value < 0 {
                    causes.append(.invalid("spec.\(field)", .int(value), "must be greater than or equal to 0"))
                }
            }
            if object["spec"]["completionMode"].string == "Indexed", object["spec"]["completions"].isNull {
                causes.append(.required("spec.completions", "when completion mode is Indexed"))
            }
            guard let old else { return causes }
            for field in ["selector", "completionMode", "template"] where old["spec"][field] != object["spec"][field] {
                if field == "template", old["spec"]["suspend"].bool == true { continue }
                causes.append(.invalid("spec.\(field)", object["spec"][field], "field is immutable"))
            }
            if old["spec"]["completions"] != object["spec"]["completions"], old["spec"]["completionMode"].string != "Indexed" {
                causes.append(.invalid("spec.completions", object["spec"]["completions"], "field is immutable"))
            }
            return causes
        }
    ).with { $0.categories = ["all"] }

    static let cronJob = KindDefinition(
        .cronJobs, "cronjob", ["cj"], type: "batch:CronJob", [.status], hasGeneration: true,
        columns: [
            .name, Column("Schedule") { object, _ in object["spec"]["schedule"].string ?? "" },
            Column("Timezone") { object, _ in object["spec"]["timeZone"].string ?? "<none>" },
            Column("Suspend") { object, _ in object["spec"]["suspend"].bool == true ? "True" : "False" },
            Column("Active") { object, _ in "\(object["status"]["active"].items.count)" },
            Column("Last Schedule") { object, now in
                object["status"]["lastScheduleTime"].string.flatMap(Timestamp.init).map { humanDuration(seconds: now.seconds - $0.seconds) } ?? "<none>"
            },
            .age,
            Column("Containers", wide: true) { object, _ in
                object["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"].items.compactMap { $0["name"].string }.joined(separator: ",")
            },
            Column("Images", wide: true) { object, _ in
                object["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"].items.compactMap { $0["image"].string }.joined(separator: ",")
            },
            Column("Selector", wide: true) { object, _ in selectorText(object["spec"]["jobTemplate"]["spec"]["selector"]) },
        ],
        prepare: { PodRules.prepare(&$0["spec"]["jobTemplate"]["spec"]["template"]["spec"]) },
        validate: { object, _, _ in
            var causes: [StatusError.Cause] = []
            let spec = object["spec"], template = spec["jobTemplate"]["spec"]["template"]["spec"]
            if let schedule = spec["schedule"].string {
                do { _ = try CronSchedule(schedule) } catch { causes.append(.invalid("spec.schedule", .string(schedule), "\(error)")) }
            }
            if let zone = spec["timeZone"].string, !["", "UTC", "Etc/UTC"].contains(zone), !zone.contains("/") {
                causes.append(.invalid("spec.timeZone", .string(zone), "unknown time zone \(zone)"))
            }
            if !["OnFailure", "Never"].contains(template["restartPolicy"].string ?? "Always") {
                causes.append(
                    StatusError.Cause(
                        reason: "FieldValueRequired", message: "Required value: valid values: \"OnFailure\", \"Never\"",
                        field: "spec.jobTemplate.spec.template.spec.restartPolicy"))
            }
            if let name = object["metadata"]["name"].string, name.utf8.count > 52 {
                causes.append(.invalid("metadata.name", .string(name), "must be no more than 52 characters"))
            }
            return causes + PodValidation.validate(template, "spec.jobTemplate.spec.template.spec")
        }
    ).with { $0.categories = ["all"] }
}
