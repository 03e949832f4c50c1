import CSandbox
import Glibc
import Host
import Lab
import Model
import Runtime

/// Runs a command in a node's namespaces with our own terminal, signals and all.
enum Foreground {
    private static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Those of our own environment's variables that are set, as NAME=VALUE.
    static func inherited(_ names: [String]) -> [String] {
        names.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }

    /// `environment`: what the command has beside PATH. Its exit code.
    static func run(_ command: [String], environment: [String] = inherited(["TERM", "LANG", "HOME"]), in pid: Int) throws -> Int32 {
        let ownsTerminal = tcgetpgrp(STDIN_FILENO) == getpgrp()
        var failure = sandbox_failure()
        let child = withCStrings(command) { argv in
            withCStrings([path] + environment) { environment in sandbox_join(pid_t(pid), argv, environment, &failure) }
        }
        guard child > 0 else {
            let stage = withUnsafeBytes(of: &failure.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard let (words, code) = StartFailure(stage: stage, errno: Int(failure.error)).ofCommand else {
                throw UserError("\(stage): \(String(cString: strerror(failure.error)))")
            }
            printError("error: \(words)")
            return code
        }
        // The terminal's signals reach the command itself; we only wait.
        signal(SIGINT, SIG_IGN)
        signal(SIGQUIT, SIG_IGN)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        // A shell makes the terminal its own and, in a PID namespace, knows no number of ours to give it back to: the next to read it
        // would be stopped.
        if ownsTerminal {
            signal(SIGTTOU, SIG_IGN)
            tcsetpgrp(STDIN_FILENO, getpgrp())
        }
        return OwnProcess.exitCode(ofStatus: status)
    }
}
