import ArgumentParser
import Lab
import Model

struct LabSolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "solve", abstract: "Do a task, and show how.")
    @OptionGroup var options: LabOptions
    @Argument(help: "The task; without, the first that is open.") var task: String?

    func run() async throws {
        let session = try await options.session(), language = try options.speech.chosen()
        let task = try options.task(task, in: session)
        try session.requireReady(for: task)
        for step in task.solution {
            switch step {
            case .run(let command), .show(let command): print("\(command.place.map { "[\($0)] " } ?? "")$ \(command.text.trimmed)")
            case .apply(let text, _): print("$ kubectl apply -f - <<'END'\n\(text.trimmed)\nEND")
            }
        }
        let result = try await session.solve(task)
        let report = LabReport(session.lab, [result], language)
        for line in report.lines(of: result) { print(line) }
        if result.state != .passed { throw ExitCode(report.exitCode) }
        if let words = task.pass { print(words[language].trimmed) }
    }
}
