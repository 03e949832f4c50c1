import CSandbox
import Glibc
import Host
import Lab
import Model
import Runtime

/// Runs a command in a node's namespaces with our own terminal, signals and all.
enum Foreground {
    static func run(_ command: [String], in pid: Int) throws -> Int32 {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let names: [String] = ["TERM", "LANG", "HOME"]
        let kept: [String] = names.compactMap { (name: String) -> String? in
            guard let value = getenv(name) else { return nil }
            return name + "=" + String(cString: value)
        }
        var failure = sandbox_failure()
        let child = withCStrings(command) { argv in
            withCStrings([path] + kept) { environment in sandbox_join(pid_t(pid), argv, environment, &failure) }
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
        return OwnProcess.exitCode(ofStatus: status)
    }
}
