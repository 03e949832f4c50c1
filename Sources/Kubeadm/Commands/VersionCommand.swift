import API
import Model

/// `kubeadm version`
struct VersionCommand {
    static let page = CommandPage(
        path: ["version"], summary: "Say which release this is.", flags: ["output": .text], shorts: ["o": "output"]
    ) { try VersionCommand(tool: $0).run($1) }

    let tool: KubeadmTool

    func run(_ arguments: Arguments) throws {
        let version = tool.machine.version, isOld = Release(version).isOld
        let facts: [(go: String, json: String, value: String)] = [
            ("Major", "major", "\(version.major)"), ("Minor", "minor", "\(version.minor)"), ("GitVersion", "gitVersion", "\(version)"),
            ("GitCommit", "gitCommit", "minik-\(Version.minik)"), ("GitTreeState", "gitTreeState", "clean"),
            ("BuildDate", "buildDate", "1970-01-01T00:00:00Z"), ("GoVersion", "goVersion", "none"), ("Compiler", "compiler", "swiftc"),
            ("Platform", "platform", "linux/\(Self.architecture)"),
        ]
        switch arguments["output"] {
        case nil, "":
            var words = facts.map { "\($0.go):\"\($0.value)\"" }
            if !isOld {
                words.insert("EmulationMajor:\"\", EmulationMinor:\"\", MinCompatibilityMajor:\"\", MinCompatibilityMinor:\"\"", at: 2)
            }
            tool.console.out("kubeadm version: &version.Info{\(words.joined(separator: ", "))}")
        case "short": tool.console.out("\(version)")
        case .some(let form) where ["json", "yaml"].contains(form):
            let json: JSON = [
                "clientVersion": .object(JSONObject(uniqueKeys: facts.map(\.json), values: facts.map { .string($0.value) }))
            ]
            tool.console.out(form == "json" ? json.text(indented: true) : YAMLText.of(json))
        case .some(let other): throw KubeadmError("invalid output format: \(other)")
        }
    }

    private static var architecture: String {
        #if arch(arm64)
            "arm64"
        #else
            "amd64"
        #endif
    }
}
