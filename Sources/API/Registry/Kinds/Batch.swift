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
            for (field, value) in [("parallelism", 1), ("completionMode", "NonIndexed"), ("suspend", false), ("manualSelector", false)]
                as [(String, JSON)]
            where object["spec"][field].isNull { object["spec"][field] = value }
            // Where each index has its own limit, that of the whole comes from maxFailedIndexes.
            if object["spec"]["backoffLimit"].isNull {
                object["spec"]["backoffLimit"] = object["spec"]["backoffLimitPerIndex"].isNull ? 6 : .int(Int(Int32.max))
            }
            if object["spec"]["podReplacementPolicy"].isNull {
                object["spec"]["podReplacementPolicy"] = object["spec"]["podFailurePolicy"].isNull ? "TerminatingOrFailed" : "Failed"
            }
            inheritLabels(&object)
        },
        validate: { object, old, _ in
            // Both of upstream's functions look at the spec.
            let spec = JobValidation.validate(object["spec"], "spec") + JobValidation.selector(object["spec"])
            return JobValidation.generated(object) + spec + JobValidation.hostname(object)
                + (old.map { spec + JobValidation.update(object, $0) } ?? [])
        }
    ).with {
        $0.categories = ["all"]
        $0.warn = warnTemplate
        $0.hooks = templateHooks { $0["spec"]["template"] }
        $0.deletion = .job
        $0.generate = { job in
            if job["spec"]["manualSelector"].bool != true { generateSelector(&job) }
            inheritLabels(&job)
        }
        $0.selectableFields = ["status.successful"]
        $0.fieldAliases = ["status.successful": "status.succeeded"]
        $0.validateStatus = JobStatusValidation.validate
    }

    static let cronJob = KindDefinition(
        .cronJobs, "cronjob", ["cj"], type: "batch:CronJob", [.status], hasGeneration: true,
        columns: [
            .name, Column("Schedule") { object, _ in object["spec"]["schedule"].string ?? "" },
            Column("Timezone") { object, _ in object["spec"]["timeZone"].string ?? "<none>" },
            Column("Suspend") { object, _ in object["spec"]["suspend"].bool == true ? "True" : "False" },
            Column("Active", type: "integer") { object, _ in "\(object["status"]["active"].items.count)" },
            Column("Last Schedule") { object, now in
                object["status"]["lastScheduleTime"].string.flatMap(Timestamp.init).map { humanDuration(seconds: now.seconds - $0.seconds) }
                    ?? "<none>"
            },
            .age,
            Column("Containers", wide: true) { object, _ in
                object["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"].items.compactMap { $0["name"].string }.joined(
                    separator: ",")
            },
            Column("Images", wide: true) { object, _ in
                object["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"].items.compactMap { $0["image"].string }.joined(
                    separator: ",")
            },
            Column("Selector", wide: true) { object, _ in selectorText(object["spec"]["jobTemplate"]["spec"]["selector"]) },
        ],
        prepare: { PodRules.prepare(&$0["spec"]["jobTemplate"]["spec"]["template"]["spec"]) },
        validate: { object, old, _ in CronJobValidation.validate(object, old: old) }
    ).with {
        $0.categories = ["all"]
        $0.warn = { object in
            let template = object["spec"]["jobTemplate"]["spec"]["template"], path = "spec.jobTemplate.spec.template"
            return (object["metadata"]["resourceVersion"].isNull ? PodWarnings.name(object) : [])
                + PodWarnings.warnings(template["metadata"], "\(path).metadata", template["spec"], "\(path).spec")
        }
        $0.hooks = templateHooks { $0["spec"]["jobTemplate"]["spec"]["template"] }
    }

    /// A selector that no other job can have. What a user wrote instead is left for validation to refuse.
    /// A job without labels has those of its pods.
    private static func inheritLabels(_ job: inout JSON) {
        let name = job["metadata"]["name"].string ?? "", labels = job["spec"]["template"]["metadata"]["labels"]
        guard job["metadata"]["labels"].stringMap.isEmpty, !labels.stringMap.isEmpty, Names.labelValueComplaints(name).isEmpty else {
            return
        }
        job["metadata"]["labels"] = labels
    }

    private static func generateSelector(_ job: inout JSON) {
        guard let uid = job["metadata"]["uid"].string else { return }
        for prefix in ["batch.kubernetes.io/", ""] {
            for (key, value) in [("controller-uid", .string(uid)), ("job-name", .string(job["metadata"]["name"].string ?? ""))]
                as [(String, JSON)]
            where job["spec"]["template"]["metadata"]["labels"][prefix + key].isNull {
                job["spec"]["template"]["metadata"]["labels"][prefix + key] = value
            }
        }
        let key = "batch.kubernetes.io/controller-uid"
        if job["spec"]["selector"]["matchLabels"][key].isNull { job["spec"]["selector"]["matchLabels"][key] = .string(uid) }
    }
}
