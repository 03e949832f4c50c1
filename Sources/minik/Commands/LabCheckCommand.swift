import ArgumentParser
import Host
import Lab
import Synchronization

struct LabCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Judge the tasks, by real packets where they are about such.",
        discussion: """
            The exit code is 0 when all tasks are done, 2 when something is left to do, 3 when a task is lost, and 1 when nothing could be \
            judged. A task that was done stays done; --again judges all of them.
            """)
    @OptionGroup var options: LabOptions
    @Option(help: "Seconds to go on looking until everything is done.") var wait = 0
    @Flag(help: "Judge tasks that were done, too.") var again = false
    @Option(name: .shortAndLong, help: "text or json.") var output = "text"
    @Option(help: "Write the results to this file as JUnit.") var junit: String?

    func run() async throws {
        guard ["text", "json"].contains(output) else { throw UserError("error: \"\(output)\" is none of text, json") }
        let session = try await options.session(), language = try options.speech.chosen()
        let results: [LabResult]
        do { results = try await session.results(patience: .seconds(wait), again: again) } catch {
            if let junit { try Files.write(LabReport.junit(session.lab, error).text, to: junit) }
            throw error
        }
        let report = LabReport(session.lab, results, language)
        if output == "json" {
            print(report.json.text(indented: true))
        } else {
            for line in report.lines { print(line) }
            for result in results where result.state == .passed && !result.findings.isEmpty {
                if let words = result.task.pass { print("\n\(result.task.title[language]): \(words[language].trimmed)") }
            }
            try LabWords.next(session, language)
        }
        if let junit { try Files.write(report.junit.text, to: junit) }
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }
}
