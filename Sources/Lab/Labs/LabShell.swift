import API
import Glibc
import Host
import Model
import Runtime

/// The learner's environment: a shell in which kubectl and minik mean the lab's cluster.
package struct LabShell: Sendable {
    package struct Outcome: Sendable {
        package let code: Int32
        package let output: String
        package let errors: String

        package init(code: Int32, output: String, errors: String) { (self.code, self.output, self.errors) = (code, output, errors) }

        /// A shell's words of the program that it did not find, when that is what the command ended with.
        /// (POSIX.1-2024, Shell Command Language, 2.8.2)
        package var missingProgram: String? {
            guard code == LabShell.notFound, let last = errors.trimmed.split(separator: "\n").last else { return nil }
            return last.wholeMatch(of: /(\/bin\/)?sh: .*not found/) == nil ? nil : String(last)
        }

        /// bash's words of the first line of a script that is no command.
        package var strayWords: String? {
            errors.split(separator: "\n").first { $0.contains(/: line \d+: (.*: command not found|syntax error.*)/) }.map(String.init)
        }
    }

    /// What a shell ends with when there is no program of that name.
    package static let notFound: Int32 = 127

    /// What timeout(1) ends with when it had to end something.
    package static let timedOut: Int32 = 124

    private let folder: String
    private let words: String
    /// The cluster of minik's that is meant; nil: one that only its kubeconfig leads to.
    private let cluster: String?
    private var kubeconfig: String { "\(words)/kubeconfig" }

    /// `folder`: the lab's.
    package init(_ paths: ClusterPaths, folder: String) {
        (self.folder, words, cluster) = (folder, "\(paths.run)/lab", paths.cluster)
    }

    /// `words`: where its programs and its kubeconfig lie.
    init(guest words: String, folder: String) { (self.folder, self.words, cluster) = (folder, words, nil) }

    /// Writes what the environment consists of: a kubeconfig, and minik in kubectl's place where there is none.
    package func prepare(_ config: JSON) throws {
        try Files.makeDirectory(words, mode: 0o700)
        try Files.write(YAMLText.of(config), to: kubeconfig, mode: 0o600)
        let minik = SmallProgram.path("minik")
        try Files.makeDirectory("\(words)/own", mode: 0o700)
        try link("\(words)/own/kubectl", to: minik)
        let isThere = Self.searchPath.split(separator: ":").contains { Files.exists("\($0)/kubectl") }
        let stand = "\(words)/kubectl"
        unlink(stand)
        if isThere { return }
        if cluster == nil { return try link(stand, to: minik) }
        try Files.write("#!/bin/sh\nexec minik \"$@\"\n", to: stand, mode: 0o755)
    }

    /// By the name `kubectl` minik goes by a kubeconfig.
    private func link(_ path: String, to target: String) throws {
        unlink(path)
        guard symlink(target, path) == 0 else { throw FileError("link", path, errno: errno) }
    }

    private static var searchPath: String {
        getenv("PATH").map { String(cString: $0) } ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    /// The variables of a process in it.
    package var environment: [String] {
        let program = SmallProgram.path(""), home = program.isEmpty ? "" : String(program.dropLast())
        var own = ["KUBECONFIG": kubeconfig, "LAB": folder, "PATH": "\(home):\(words):\(Self.searchPath)"]
        own["MINIK_CLUSTER"] = cluster
        var variables: [String: String] = [:]
        for name in ["HOME", "LANG", "LC_ALL", "TERM", "USER", "MINIK_LABS", "SUDO_UID", "XDG_STATE_HOME"] {
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
        return variables.merging(own) { $1 }.map { "\($0)=\($1)" }
    }

    /// Runs a command where it says, for at most `seconds`.
    package func run(_ command: LabCommand, seconds: Int = 20) async throws -> Outcome {
        let argv = ["/usr/bin/timeout", "-k", "1", "\(seconds)"] + words(of: command)
        let environment = environment, folder = folder
        return try await SmallProgram.blocking { try Self.outcome(argv, environment: environment, in: folder) }
    }

    /// Runs a program in a directory to its end, and blocks.
    static func outcome(_ argv: [String], environment: [String], in folder: String) throws -> Outcome {
        let output = try Descriptor.memoryFile(), errors = try Descriptor.memoryFile()
        let pid = SmallProgram.spawn(
            ["/bin/sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder] + argv, environment: environment,
            stdio: [-1, output.number, errors.number])
        guard pid > 0 else { throw FileError("start", "/bin/sh", errno: -pid) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return try Outcome(code: OwnProcess.exitCode(ofStatus: status), output: text(output), errors: text(errors))
    }

    private func words(of command: LabCommand) -> [String] {
        let minik = SmallProgram.path("minik"), shell = ["/bin/sh", "-c", command.text]
        guard let name = self.cluster else {
            guard let pod = command.place?.split(separator: "/").last else { return shell }
            return ["\(words)/own/kubectl", "exec", "-n", GuestNames.namespace, String(pod), "--"] + shell
        }
        let cluster = ["--cluster", name]
        switch command.place {
        case nil: return shell
        case "host": return [minik, "host", "exec"] + cluster + ["--"] + shell
        case .some(let place) where place.hasPrefix("pod/"): return [minik, "exec"] + cluster + [String(place.dropFirst(4)), "--"] + shell
        case .some(let place):
            let node = place.hasPrefix("node/") ? String(place.dropFirst(5)) : place
            return [minik, "node", "exec"] + cluster + [node, "--"] + shell
        }
    }
}

private func text(_ file: borrowing Descriptor) throws(FileError) -> String {
    lseek(file.number, 0, SEEK_SET)
    return String(decoding: try file.read(atMost: 1 << 20, "what a command said"), as: UTF8.self)
}
