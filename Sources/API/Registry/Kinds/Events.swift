import Model

extension KindDefinition {
    private static func lastSeen(_ object: JSON) -> Timestamp? {
        (object["series"]["lastObservedTime"].string ?? object["lastTimestamp"].string ?? object["eventTime"].string).flatMap(
            Timestamp.init)
    }

    private static func ago(_ time: Timestamp?, _ now: Timestamp) -> String {
        time.map { humanDuration(seconds: now.seconds - $0.seconds) } ?? "<unknown>"
    }

    private static let eventColumns: [Column] = [
        Column("Last Seen") { object, now in ago(lastSeen(object), now) },
        Column("Type") { object, _ in object["type"].string ?? "" },
        Column("Reason") { object, _ in object["reason"].string ?? "" },
        Column("Object") { object, _ in
            "\((object["involvedObject"]["kind"].string ?? "").lowercased())/\(object["involvedObject"]["name"].string ?? "")"
        },
        Column("Subobject", wide: true) { object, _ in object["involvedObject"]["fieldPath"].string ?? "" },
        Column("Source", wide: true) { object, _ in
            let parts = [
                object["source"]["component"].string ?? object["reportingComponent"].string,
                object["source"]["host"].string ?? object["reportingInstance"].string,
            ]
            return parts.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ", ")
        },
        Column("Message") { object, _ in object["message"].string?.trimmed ?? "" },
        Column("First Seen", wide: true) { object, now in
            ago((object["firstTimestamp"].string ?? object["eventTime"].string).flatMap(Timestamp.init), now)
        },
        .number("Count", wide: true) { $0["series"]["count"].int ?? $0["count"].int ?? 1 },
        Column("Name", wide: true) { object, _ in object["metadata"]["name"].string ?? "" },
    ]

    static let event = KindDefinition(.events, "event", ["ev"], type: "core:Event", columns: eventColumns).with {
        $0.outlivesNamespace = true
        $0.nameRule = .pathSegment
        $0.allowsCreateOnUpdate = true
        $0.validate = EventValidation.validate
        $0.namesFinalizersFreely = true
        $0.selectableFields = [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
            "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
        ]
    }

    /// The same events by their newer names; stored once, as core/v1 has them.
    static let groupEvent = KindDefinition(.groupEvents, "event", ["ev"], type: "events:Event", columns: eventColumns).with {
        $0.allowsCreateOnUpdate = true
        $0.selectableFields = [
            "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "reason", "reportingController", "type",
        ]
        $0.storage = StorageForm(
            resource: .events, store: { rename($0, eventNames) }, present: { rename($0, eventNames.map { ($0.1, $0.0) }) },
            isAskedWhenStored: true)
    }

    private static let eventNames = [
        ("regarding", "involvedObject"), ("note", "message"), ("reportingController", "reportingComponent"), ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"), ("deprecatedLastTimestamp", "lastTimestamp"), ("deprecatedCount", "count"),
    ]

    private static func rename(_ object: JSON, _ names: [(String, String)]) -> JSON {
        guard let members = object.object else { return object }
        return .object(
            JSONObject(
                uniqueMembers: members.map { key, value in (names.first { $0.0 == key }?.1 ?? key, value) }))
    }
}
