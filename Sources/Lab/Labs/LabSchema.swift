import API
import Model

extension LabDocument {
    /// A text, or one of each language.
    private static let text = Schema.any
    private static let steps = Schema.list(.object([.init("run", .string), .init("on", .string), .init("apply", .string)]))
    private static let stepRules = one(of: ["run", "apply"])
    private static let checkForms = ["run", "object", "expect", "answer"], checkRules = one(of: checkForms)
    private static let some: JSON = ["minItems": 1]

    /// Each element has one of these fields and no other of them.
    private static func one(of fields: [String], atLeast count: Int = 0) -> JSON {
        ["minItems": .int(count), "allOf": [["items": ["oneOf": .array(fields.map { ["required": [.string($0)]] })]]]]
    }

    private static let expectation = Schema.object([
        .init("from", .string, required: true), .init("to", .string, required: true), .init("port", .intOrString),
        .init("namespace", .string),
        .init("verdict", .string(oneOf: LabExpectation.Verdict.allCases.map(\.rawValue))),
        .init("ttl", .int, rules: ["minimum": 1, "maximum": 255]), .init("source", .string),
        .init("dns", .string),
    ])

    private static let checks = Schema.list(
        .object([
            .init("run", .string), .init("on", .string), .init("exit", .int), .init("output", .string),
            .init("object", .string), .init("namespace", .string), .init("path", .string), .init("value", .intOrString),
            .init("exists", .bool),
            .init("expect", .list(expectation), rules: some),
            .init("answer", .object([.init("run", .string), .init("on", .string), .init("is", .intOrString)])),
        ]))

    private static let task = Schema.object([
        .init("name", .string, required: true), .init("title", text, required: true), .init("text", text, required: true),
        .init("needs", .list(.string)), .init("setup", steps, rules: stepRules),
        .init("check", checks, required: true, rules: one(of: checkForms, atLeast: 1)), .init("failcheck", checks, rules: checkRules),
        .init("pass", text), .init("fail", text), .init("wait", .int, rules: ["minimum": 0, "maximum": 600]),
        .init("level", .string(oneOf: ["task", "warning"])), .init("solution", steps, rules: stepRules),
        .init(
            "hints",
            .list(
                .object([
                    .init("name", .string), .init("when", checks, rules: checkRules), .init("text", text, required: true),
                    .init("answer", steps, rules: stepRules), .init("undo", steps, rules: stepRules),
                ]))
        ),
    ])

    package static let schema = Schema.object([
        .init("apiVersion", .string), .init("kind", .string),
        .init("metadata", .object([.init("name", .string, required: true), .init("labels", .labels), .init("annotations", .labels)])),
        .init(
            "spec",
            .object([
                .init("title", text, required: true), .init("objectives", .list(text)),
                .init("difficulty", .string(oneOf: ["easy", "medium", "hard"])), .init("minutes", .int, rules: ["minimum": 1]),
                .init("order", .int),
                .init("intro", text), .init("outro", text), .init("setup", steps, rules: stepRules),
                .init("tasks", .list(task), required: true, rules: some),
            ])),
    ])

    /// What `Schema.any` stands for in this document, as JSON Schema has it.
    package static let anyValue: JSON = [
        "anyOf": [
            ["type": "string"],
            [
                "type": "object", "properties": ["en": ["type": "string"], "zh": ["type": "string"]], "required": ["en"],
                "additionalProperties": false,
            ],
        ]
    ]
}
