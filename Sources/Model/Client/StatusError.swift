/// An answer that is no success: a metav1.Status with its HTTP code.
package struct StatusError: Error, CustomStringConvertible, Sendable {
    package struct Cause: Sendable, Hashable {
        package let reason: String
        package let message: String
        package let field: String

        package init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    package let code: Int
    package let reason: Reason
    package let message: String
    package var causes: [Cause] = []
    package var details: JSON = .null
    /// What whoever asked should know beside.
    package var warnings: [String] = []
    /// A conflict because somebody else wrote between a reading and a writing, not one about what was asked for: who reads anew may
    /// write. Known only where the conflict was seen, not across a network.
    package private(set) var isRetryable = false

    package init(_ code: Int, _ reason: Reason, _ message: String, causes: [Cause] = [], details: JSON = .null) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.details = details
    }

    package init(status: JSON) {
        code = status["code"].int ?? 500
        reason = status["reason"].string.map(Reason.init) ?? .internalError
        message = status["message"].string ?? "unknown error"
        details = status["details"]
        causes = details["causes"].items.map {
            Cause(reason: $0["reason"].string ?? "", message: $0["message"].string ?? "", field: $0["field"].string ?? "")
        }
    }

    package var description: String { message }

    package func warning(_ texts: [String]) -> StatusError {
        var copy = self
        copy.warnings = texts + warnings
        return copy
    }

    package static func conflict(_ resource: Resource, _ name: String) -> StatusError {
        var error = StatusError(
            409, .conflict,
            "Operation cannot be fulfilled on \(resource) \"\(name)\": the object has been modified; please apply your changes to the latest version and try again",
            details: details(resource, name))
        error.isRetryable = true
        return error
    }

    package var status: JSON {
        var details = details
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map { ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)] })
        }
        return [
            "kind": "Status", "apiVersion": "v1", "metadata": .emptyObject, "status": "Failure",
            "message": .string(message), "reason": reason == .unstated ? .null : .string(reason.rawValue), "details": details,
            "code": .int(code),
        ]
    }
}
