import Model

/// What a plugin is asked: its environment and what it reads. (containernetworking/cni SPEC.md 1.1.0, sections 2 and 4)
package struct CNICall: Sendable {
    package enum Command: String, Sendable {
        case add = "ADD", delete = "DEL", check = "CHECK", collect = "GC", status = "STATUS", version = "VERSION"

        /// The variables without which it means nothing.
        fileprivate var required: [String] {
            switch self {
            case .add, .check: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"]
            case .delete: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"]
            case .collect, .status: ["CNI_PATH"]
            case .version: []
            }
        }

        fileprivate var since: CNIVersion {
            switch self {
            case .add, .delete, .version: .first
            case .check: .withCheck
            case .collect, .status: .withStatusAndGC
            }
        }
    }

    package let command: Command
    package let environment: [String: String]
    package let configuration: JSON
    package let version: CNIVersion

    package var containerID: String { environment["CNI_CONTAINERID"] ?? "" }
    /// The path of the container's network namespace; empty when it is gone.
    package var namespace: String { environment["CNI_NETNS"] ?? "" }
    package var interface: String { environment["CNI_IFNAME"] ?? "" }
    package var folders: [String] { (environment["CNI_PATH"] ?? "").split(separator: ":").map(String.init) }
    package var network: String { configuration["name"].string ?? "" }

    /// CNI_ARGS: KEY=VALUE;KEY=VALUE
    package var arguments: [String: String] {
        let pairs = (environment["CNI_ARGS"] ?? "").split(separator: ";").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }, uniquingKeysWith: { $1 })
    }

    /// Those whose results have lists of addresses and links.
    package static let versions = CNIVersion.all.filter { $0 >= CNIVersion.withInterfaces }

    /// The answer to VERSION.
    package var knownVersions: JSON {
        ["cniVersion": .string(version.description), "supportedVersions": .array(Self.versions.map { .string($0.description) })]
    }

    package init(_ environment: [String: String], input: String) throws(CNIRefusal) {
        typealias Code = CNIRefusal.Code
        self.environment = environment
        let word = environment["CNI_COMMAND"] ?? ""
        guard !word.isEmpty else { throw CNIRefusal(Code.environment, "required env variables [CNI_COMMAND] missing") }
        guard let command = Command(rawValue: word) else { throw CNIRefusal(Code.environment, "unknown CNI_COMMAND: \(word)") }
        self.command = command
        let lacking = command.required.filter { (environment[$0] ?? "").isEmpty }
        guard lacking.isEmpty else {
            throw CNIRefusal(Code.environment, "required env variables [\(lacking.joined(separator: ","))] missing")
        }
        if command == .version, input.trimmed.isEmpty {
            (configuration, version) = (.emptyObject, .withStatusAndGC)
        } else {
            do { configuration = try JSON(parsing: input) } catch {
                throw CNIRefusal(Code.undecodable, "the network configuration on standard input is no JSON", details: "\(error)")
            }
            guard case .object = configuration else {
                throw CNIRefusal(Code.undecodable, "the network configuration on standard input is no JSON object")
            }
            version = try Self.version(configuration, command)
        }
        if command != .version { try check() }
    }

    private static func version(_ configuration: JSON, _ command: Command) throws(CNIRefusal) -> CNIVersion {
        let written = configuration["cniVersion"]
        guard written.isNull || written.string != nil else {
            throw CNIRefusal(CNIRefusal.Code.undecodable, "\"cniVersion\" is \(written.text()), and a text such as \"1.0.0\" is meant")
        }
        let asked = written.string ?? CNIVersion.first.description
        // Whoever asks for the versions need not know one.
        if command == .version { return CNIVersion(asked) ?? .withStatusAndGC }
        guard let version = CNIVersion(asked), versions.contains(version) else {
            let known = versions.map { "\"\($0)\"" }.joined(separator: " ")
            throw CNIRefusal(
                CNIRefusal.Code.incompatibleVersion, "incompatible CNI versions",
                details: "config is \"\(asked)\", plugin supports [\(known)]")
        }
        guard version >= command.since else {
            throw CNIRefusal(
                CNIRefusal.Code.incompatibleVersion, "config version does not allow \(command.rawValue)",
                details: "it is \(version); \(command.rawValue) came with \(command.since)")
        }
        return version
    }

    private func check() throws(CNIRefusal) {
        func refuse(_ code: Int, _ message: String) -> CNIRefusal { CNIRefusal(code, message) }
        guard CNINetwork.isName(network) else {
            throw refuse(
                CNIRefusal.Code.configuration, "the network's \"name\" is missing, or has other characters than letters, digits, _ . -")
        }
        let named = environment["CNI_CONTAINERID"].map { ($0, CNINetwork.isName($0)) }
        if command.required.contains("CNI_CONTAINERID"), let named, !named.1 {
            throw refuse(CNIRefusal.Code.environment, "invalid characters in containerID \"\(named.0)\"")
        }
        guard command.required.contains("CNI_IFNAME") else { return }
        guard interface.utf8.count <= 15, interface != ".", interface != "..", !interface.contains(where: { "/: \t\n".contains($0) }) else {
            throw refuse(CNIRefusal.Code.environment, "CNI_IFNAME \"\(interface)\" cannot be a link's name")
        }
        if command == .check, configuration["prevResult"].isNull {
            throw refuse(CNIRefusal.Code.configuration, "required prevResult missing")
        }
        if command == .add, !configuration["prevResult"].isNull {
            throw refuse(CNIRefusal.Code.configuration, "it makes the container's link itself: it has to be the first plugin of its list")
        }
    }
}
