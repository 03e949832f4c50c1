import ArgumentParser
import Lab

struct LabStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show which tasks are done, and what the next one says. Judges nothing.")
    @OptionGroup var options: LabOptions

    func run() async throws {
        let session = try await options.session(), language = try options.speech.chosen(), state = try session.state()
        print("\(session.lab.title[language])  (\(state.passed.count)/\(session.lab.tasks.count))")
        for task in session.lab.tasks {
            let mark = task.obstacle != nil ? "-" : state.passed.contains(task.name) ? "✓" : state.lost.contains(task.name) ? "✗" : "○"
            print("\(mark) \(task.name): \(task.title[language])")
        }
        try LabWords.next(session, language)
    }
}
