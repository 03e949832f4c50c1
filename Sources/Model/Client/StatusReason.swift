extension StatusError {
    /// Why a request was not answered with success, in one word for programs. (metav1.StatusReason)
    package struct Reason: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }
        package var description: String { rawValue }

        package static let alreadyExists = Reason(rawValue: "AlreadyExists")
        package static let badGateway = Reason(rawValue: "BadGateway")
        package static let badRequest = Reason(rawValue: "BadRequest")
        package static let conflict = Reason(rawValue: "Conflict")
        package static let expired = Reason(rawValue: "Expired")
        package static let forbidden = Reason(rawValue: "Forbidden")
        package static let internalError = Reason(rawValue: "InternalError")
        package static let invalid = Reason(rawValue: "Invalid")
        package static let methodNotAllowed = Reason(rawValue: "MethodNotAllowed")
        package static let notAcceptable = Reason(rawValue: "NotAcceptable")
        package static let notFound = Reason(rawValue: "NotFound")
        package static let notImplemented = Reason(rawValue: "NotImplemented")
        package static let requestEntityTooLarge = Reason(rawValue: "RequestEntityTooLarge")
        package static let serviceUnavailable = Reason(rawValue: "ServiceUnavailable")
        package static let timeout = Reason(rawValue: "Timeout")
        package static let tooManyRequests = Reason(rawValue: "TooManyRequests")
        package static let unauthorized = Reason(rawValue: "Unauthorized")
        package static let unknown = Reason(rawValue: "Unknown")
        /// What a server says of which upstream tells no more than that it went wrong.
        package static let unstated = Reason(rawValue: "")
        package static let unsupportedMediaType = Reason(rawValue: "UnsupportedMediaType")
    }
}
