import Host
import Model
import Runtime

/// kubeadm, as the release speaks that is asked for: what it writes are real files, what it asks a real API.
package struct KubeadmTool: Sendable {
    let console: Console
    let machine: Machine

    package init(machine: Machine = Machine(), console: Console = .standard) { (self.machine, self.console) = (machine, console) }

    /// The exit code.
    package func run(_ words: [String]) async -> Int32 {
        let isOld = spoken(words).isOld
        do {
            try await dispatch(words)
            return 0
        } catch let error as KubeadmError {
            if isOld {
                if !error.preamble.isEmpty {
                    console.complain("\(error.description): \(error.preamble)")
                } else {
                    console.complain(error.description)
                }
            } else {
                if !error.preamble.isEmpty { console.complain(error.preamble) }
                console.complain("error: \(error)")
            }
            if let dash = Arguments.longDash(in: words) {
                console.complain(
                    "  \"\(dash)\" begins with the long dash that a word processor makes of --, and is no flag: type two hyphens")
            }
            console.complain("To see the stack trace of this error execute with --v=5 or higher")
            return isOld && error.isValidation ? 3 : 1
        } catch {
            console.complain("\(isOld ? "" : "error: ")\(error)")
            console.complain("To see the stack trace of this error execute with --v=5 or higher")
            return 1
        }
    }

    /// The release whose words are used: the one that is asked for, else the machine's.
    private func spoken(_ words: [String]) -> Release {
        for (index, word) in words.enumerated() {
            let value =
                word == "--kubernetes-version" && index + 1 < words.count
                ? words[index + 1] : word.hasPrefix("--kubernetes-version=") ? String(word.dropFirst("--kubernetes-version=".count)) : nil
            if let version = value.flatMap({ KubernetesVersion($0) }), version <= Self.newest, version >= .oldest {
                return Release(version)
            }
        }
        return Release(machine.version)
    }

    static let newest = KubernetesVersion(KubernetesVersion.current.major, KubernetesVersion.current.minor, 9999)

    private func dispatch(_ words: [String]) async throws {
        if words.first == "help" { return help(Array(words.dropFirst())) }
        let (page, rest) = CommandTree.find(words.first == "alpha" && words.dropFirst().first == "certs" ? Array(words.dropFirst()) : words)
        let arguments = try page.arguments(rest), release = Release(machine.version)
        if arguments.has("help") || rest.isEmpty && page.path.isEmpty {
            return console.out(CommandUsage(page: page, release: release).text)
        }
        try page.check(arguments.positional, release)
        guard let work = page.work else { throw missing(page) }
        for name in arguments.names {
            if let reason = page.idle[name] { console.warn("--\(name) is without effect: \(reason)", "flags.go:1") }
        }
        try await work(self, arguments)
    }

    /// `kubeadm help COMMAND`
    private func help(_ words: [String]) {
        let (page, rest) = CommandTree.find(words)
        if !rest.isEmpty { console.complain("Unknown help topic [`\(words.joined(separator: " "))`]") }
        console.out(CommandUsage(page: rest.isEmpty ? page : CommandTree.root, release: Release(machine.version)).text)
    }

    /// What a command says that got none of those below it.
    func missing(_ page: CommandPage) -> KubeadmError {
        let release = Release(machine.version)
        if release.isOld { return KubeadmError("missing subcommand; \"\(page.path.last ?? "")\" is not meant to be run on its own") }
        console.out(CommandUsage(page: page, release: release).text)
        return KubeadmError("\nerror: subcommand is required")
    }
}
