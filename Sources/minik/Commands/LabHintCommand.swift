import ArgumentParser
import Lab
import Model

struct LabHintCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hint", abstract: "Help with a task: what is said of the mistake that was made, else the next general word.")
    @OptionGroup var options: LabOptions
    @Argument(help: "The task; without, the first that is open.") var task: String?

    func run() async throws {
        let session = try await options.session(), language = try options.speech.chosen()
        let task = try options.task(task, in: session)
        print(try await session.hint(task)?.text[language].trimmed ?? "There is no hint for \(task.name).")
    }
}
