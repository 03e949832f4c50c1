import Model

/// How much of a list is asked for, and as of when. (k8s.io/apimachinery/pkg/apis/meta/internalversion/validation, ValidateListOptions)
struct ListParameters: Sendable {
    /// 0: all of it.
    let limit: Int
    /// The revision that is named; nil: the newest.
    let version: Int?
    let isExact: Bool

    init(_ request: HTTPRequest) throws {
        let version = request["resourceVersion"] ?? "", match = request["resourceVersionMatch"] ?? ""
        let limit = try Self.number(request["limit"])
        if request["sendInitialEvents"] != nil {
            throw StatusError.invalid(
                Self.resource, "", [.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")])
        }
        if !match.isEmpty { try Self.check(match, version, isContinued: !(request["continue"] ?? "").isEmpty) }
        do { self.version = try Self.checkVersion(version) } catch let error as StatusError {
            throw StatusError.badRequest("invalid resource version: \(error.message)")
        }
        // What may be as old as it likes comes whole; a first chunk of a revision is of just that one.
        self.limit = version == "0" ? 0 : limit
        isExact = match == "Exact" || (match.isEmpty && limit > 0 && !["", "0"].contains(version))
    }

    /// The number of a version; nil: none is asked for.
    @discardableResult
    static func checkVersion(_ text: String) throws -> Int? {
        if text.isEmpty { return nil }
        guard let number = UInt64(text) else {
            throw StatusError(
                500, .unstated,
                "resourceVersion: Invalid value: \(JSON.string(text).text()): strconv.ParseUint: parsing \(JSON.string(text).text()): invalid syntax"
            )
        }
        return Int(clamping: number)
    }

    static let resource = Resource("meta.k8s.io", "v1", "", "ListOptions")

    /// A parameter that is a number; 0 where there is none.
    static func number(_ text: String?) throws -> Int {
        guard let text else { return 0 }
        if let number = Int(text) { return number }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
        throw StatusError.badRequest("strconv.ParseInt: parsing \"\(text)\": \(isNumber ? "value out of range" : "invalid syntax")")
    }

    private static func check(_ match: String, _ version: String, isContinued: Bool) throws {
        var causes: [StatusError.Cause] = []
        let field = "resourceVersionMatch"
        if version.isEmpty { causes.append(.forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")) }
        if isContinued { causes.append(.forbidden(field, "resourceVersionMatch is forbidden when continue is provided")) }
        if !["Exact", "NotOlderThan"].contains(match) {
            causes.append(.notSupported(field, .string(match), "\"Exact\", \"NotOlderThan\", \"\""))
        } else if match == "Exact", version == "0" {
            causes.append(.forbidden(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
        }
        guard !causes.isEmpty else { return }
        throw StatusError.invalid(resource, "", causes)
    }
}
