import ArgumentParser
import Lab

struct Validate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read files as `up` and `lab start` would, without root and without a cluster.",
        discussion: """
            Cluster and Lab documents, and Kubernetes manifests: each is read, defaulted and validated as the API would. Complaints name file, \
            line and field; the exit code is 1 when there are some.
            """)
    @Argument(help: "Files or directories; - is standard input.") var files: [String]

    func run() async throws {
        let outcome = try await Validation(files).run()
        for line in outcome.lines { print(line) }
        for complaint in outcome.complaints { printError(complaint) }
        if !outcome.complaints.isEmpty { throw ExitCode.failure }
    }
}
