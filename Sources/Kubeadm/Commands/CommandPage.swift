/// A command as it is called: its words, its flags, what it does. A group has no work of its own.
struct CommandPage: Sendable {
    /// Below `kubeadm`.
    let path: [String]
    let summary: String
    /// As the usage line shows them.
    var operands = ""
    /// How many operands it takes; nil: any number.
    var most: Int? = 0
    var flags: [String: Arguments.Kind] = [:]
    var shorts: [String: String] = [:]
    /// Flags that are taken, for what they do is not done here: whoever gives one is told.
    var idle: [String: String] = [:]
    /// Whose phases --skip-phases names.
    var phases: SkippedPhases.Work?
    var work: (@Sendable (KubeadmTool, Arguments) async throws -> Void)?

    var name: String { (["kubeadm"] + path).joined(separator: " ") }

    /// Flags that every command has.
    static let global: [String: Arguments.Kind] = ["v": .number, "rootfs": .text, "vmodule": .text]
    private static let globalShorts = ["v": "v", "h": "help"]

    func arguments(_ words: [String]) throws(KubeadmError) -> Arguments {
        try Arguments(
            words, flags.merging(Self.global) { own, _ in own }.merging(["help": .isSet]) { own, _ in own },
            shorts: shorts.merging(Self.globalShorts) { own, _ in own })
    }

    /// Refuses what is no operand of its.
    func check(_ operands: [String], _ release: Release) throws(KubeadmError) {
        guard let most, operands.count > most, let first = operands.first else { return }
        if work != nil, first == "phase", phases != nil {
            throw KubeadmError("minik's kubeadm runs all phases; leave some out with --skip-phases")
        }
        if most > 0 { throw KubeadmError("accepts at most \(most) arg(s), received \(operands.count)") }
        if let absent = CommandTree.absent[first], path.isEmpty { throw KubeadmError("minik's kubeadm has no \"\(first)\": \(absent)") }
        throw KubeadmError(
            work == nil && release.isOld && !path.isEmpty
                ? "invalid subcommand: \"\(first)\"" : "unknown command \"\(first)\" for \"\(name)\"")
    }
}

/// All commands there are.
enum CommandTree {
    static let root = CommandPage(
        path: [],
        summary: "kubeadm: bootstrap a Kubernetes cluster of machines (minik's, which does what the release does that you ask for)")

    static let pages: [CommandPage] =
        [InitCommand.page, JoinCommand.page, ResetCommand.page] + TokenCommand.pages + ConfigCommand.pages + CertsCommand.pages
        + [VersionCommand.page]

    /// What the real one has besides, and why it is not here.
    static let absent = [
        "upgrade": "reset, and init with another --kubernetes-version", "completion": "it completes for no shell",
        "kubeconfig": "copy /etc/kubernetes/admin.conf", "alpha": "of it there is `certs`",
    ]

    static func children(of page: CommandPage) -> [CommandPage] {
        pages.filter { $0.path.count == page.path.count + 1 && $0.path.starts(with: page.path) }
    }

    /// The command that words begin with, and what follows it. Flags may stand before and between.
    static func find(_ words: [String]) -> (page: CommandPage, rest: [String]) {
        var page = root, rest: [String] = [], index = words.startIndex
        while index < words.endIndex {
            let word = words[index]
            if word.hasPrefix("-") {
                rest.append(word)
                // Its value is no command.
                if ["-v", "--v", "--rootfs", "--vmodule"].contains(word), index + 1 < words.endIndex {
                    index += 1
                    rest.append(words[index])
                }
            } else if let child = children(of: page).first(where: { $0.path.last == word }) {
                page = child
            } else {
                rest += words[index...]
                break
            }
            index += 1
        }
        return (page, rest)
    }
}
