import ArgumentParser
import CSandbox
import Glibc
import Host
import Lab
import Model
import Runtime

struct LabShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shell", abstract: "The learner's shell: kubectl and minik mean the lab's cluster.",
        discussion: """
            A scenario's learner works on its first node, in /root; a lab's on this machine, in the lab's folder. Without a terminal the \
            shell reads its commands from standard input. The exit code is the shell's.
            """)
    @OptionGroup var options: LabOptions

    func run() async throws {
        let session = try await options.session()
        if let home = session.lab.home {
            guard let ground = session.ground as? OwnGround, let process = ProcessIdentity(file: ground.paths.nodePID(home)) else {
                throw UserError("node \(home) does not run")
            }
            let environment = Foreground.inherited(["TERM", "LANG"]) + ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash"]
            throw ExitCode(try Foreground.run(["/bin/sh", "-c", "cd /root; exec bash -l"], environment: environment, in: process.pid))
        }
        let shell = getenv("SHELL").map { String(cString: $0) } ?? "/bin/bash"
        guard chdir(session.file.folder) == 0 else { throw FileError("enter", session.file.folder, errno: errno) }
        for variable in session.shell.environment {
            guard let equals = variable.firstIndex(of: "=") else { continue }
            setenv(String(variable[..<equals]), String(variable[variable.index(after: equals)...]), 1)
        }
        let error = -withCStrings([shell]) { sandbox_replace($0) }
        throw FileError("start", shell, errno: error)
    }
}
