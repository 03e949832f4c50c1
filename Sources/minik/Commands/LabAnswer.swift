import ArgumentParser
import Lab

struct LabAnswer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer", abstract: "Answer a task that asks for something.", discussion: "minik lab answer bridge cni0")
    @OptionGroup var options: LabOptions
    @Argument(help: "The task.") var task: String
    @Argument(help: "The answer.") var words: [String]

    func run() async throws {
        let session = try await options.session()
        let task = try options.task(task, in: session)
        try session.answer(task.name, words.joined(separator: " "))
        print("noted; see whether it is right: minik lab check")
    }
}
