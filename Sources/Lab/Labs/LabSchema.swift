import API
import Model

extension LabDocument {
    /// A text, or one of each language.
    private static let text = Schema.any
    private static let steps = Schema.list(.object([.init("run", .string), .init("on", .string), .init("apply", .string)]))

    private static let expectation = Schema.object([
        .init("from", .string, required: true), .init("to", .string, required: true), .init("port", .intOrString),
        .init("namespace", .string),
        .init("verdict", .string(oneOf: LabExpectation.Verdict.allCases.map(\.rawValue))), .init("ttl", .int), .init("source", .string),
        .init("dns", .string),
    ])

    private static let checks = Schema.list(
        .object([
            .init("run", .string), .init("on", .string), .init("exit", .int), .init("output", .string),
            .init("object", .string), .init("namespace", .string), .init("path", .string), .init("value", .intOrString),
            .init("exists", .bool),
            .init("expect", .list(expectation)),
            .init("answer", .object([.init("run", .string), .init("on", .string), .init("is", .intOrString)])),
        ]))

    private static let task = Schema.object([
        .init("name", .string, required: true), .init("title", text), .init("text", text), .init("needs", .list(.string)),
        .init("check", checks), .init("failcheck", checks), .init("pass", text), .init("fail", text), .init("wait", .int),
        .init("level", .string(oneOf: ["task", "warning"])), .init("solution", steps),
        .init(
            "hints",
            .list(
                .object([.init("name", .string), .init("when", checks), .init("text", text), .init("answer", steps), .init("undo", steps)]))
        ),
    ])

    package static let schema = Schema.object([
        .init("apiVersion", .string), .init("kind", .string),
        .init("metadata", .object([.init("name", .string, required: true), .init("labels", .labels), .init("annotations", .labels)])),
        .init(
            "spec",
            .object([
                .init("title", text), .init("objectives", .list(text)),
                .init("difficulty", .string(oneOf: ["easy", "medium", "hard"])), .init("minutes", .int), .init("order", .int),
                .init("intro", text), .init("outro", text), .init("setup", steps), .init("tasks", .list(task)),
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
