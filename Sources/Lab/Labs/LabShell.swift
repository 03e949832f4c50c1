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

    private let paths: ClusterPaths
    private let folder: String
    private var words: String { "\(paths.run)/lab" }
    private var kubeconfig: String { "\(words)/kubeconfig" }

    /// `folder`: the lab's.
    package init(_ paths: ClusterPaths, folder: String) {
        self.paths = paths
        self.folder = folder
    }

    /// Writes what the environment consists of: a kubeconfig, and minik in kubectl's place where there is none.
    package func prepare() throws {
        try Files.makeDirectory(words, mode: 0o700)
        try Files.write(YAMLText.of(try Kubeconfig(paths: paths).document()), to: kubeconfig, mode: 0o600)
        let own = "\(words)/kubectl"
        let isThere = Self.searchPath.split(separator: ":").contains { Files.exists("\($0)/kubectl") }
        if isThere { unlink(own) } else { try Files.write("#!/bin/sh\nexec minik \"$@\"\n", to: own, mode: 0o755) }
    }

    private static var searchPath: String {
        getenv("PATH").map { String(cString: $0) } ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    }

    /// The variables of a process in it.
    package var environment: [String] {
        let program = SmallProgram.path(""), home = program.isEmpty ? "" : String(program.dropLast())
        let own = [
            "KUBECONFIG": kubeconfig, "MINIK_CLUSTER": paths.cluster, "LAB": folder, "PATH": "\(home):\(words):\(Self.searchPath)",
        ]
        var variables: [String: String] = [:]
        for name in ["HOME", "LANG", "LC_ALL", "TERM", "USER", "MINIK_LABS", "SUDO_UID"] {
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
        let minik = SmallProgram.path("minik"), cluster = ["--cluster", paths.cluster], shell = ["/bin/sh", "-c", command.text]
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
