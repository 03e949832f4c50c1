import Model
import Netlink

/// Why a plugin does not do what it is asked; what it prints then. (containernetworking/cni SPEC.md 1.1.0, section 5, "Error")
package struct CNIRefusal: Error, Hashable, CustomStringConvertible {
    /// What the specification gives a meaning; 100 and more are a plugin's own.
    package enum Code {
        package static let incompatibleVersion = 1, unsupportedField = 2, unknownContainer = 3, environment = 4, inputOutput = 5
        package static let undecodable = 6, configuration = 7, foreignNamespace = 8, notAvailable = 50
        package static let kernel = 100, missing = 101
    }

    package let code: Int
    package let message: String
    package let details: String

    package init(_ code: Int, _ message: String, details: String = "") {
        self.code = code
        self.message = message
        self.details = details
    }

    /// Whatever else went wrong: the kernel's word, in most cases.
    package init(_ error: any Error) {
        self = (error as? CNIRefusal) ?? CNIRefusal(error is NetlinkError ? Code.kernel : Code.inputOutput, "\(error)")
    }

    package func json(_ version: CNIVersion) -> JSON {
        var json: JSON = ["cniVersion": .string(version.description), "code": .int(code), "msg": .string(message)]
        if !details.isEmpty { json["details"] = .string(details) }
        return json
    }

    package var description: String { details.isEmpty ? message : "\(message); \(details)" }
}
