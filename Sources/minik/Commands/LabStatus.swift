import ArgumentParser
import Lab

struct LabStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show which tasks are done, and what the next one says. Judges nothing.")
    @OptionGroup var options: LabOptions

    func run() async throws {
        let session = try options.session(), language = try options.speech.chosen(), passed = try session.state().passed
        print("\(session.lab.title[language])  (\(passed.count)/\(session.lab.tasks.count))")
        for task in session.lab.tasks { print("\(passed.contains(task.name) ? "✓" : "○") \(task.name): \(task.title[language])") }
        try LabWords.next(session, language)
    }
}
