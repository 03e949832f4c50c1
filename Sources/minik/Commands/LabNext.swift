import ArgumentParser
import Lab

struct LabNext: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "next", abstract: "Go on to the next lab; while tasks are open, show the next task.")
    @OptionGroup var options: LabOptions
    @Flag(help: "Leave the lab with tasks that are open.") var skip = false

    func run() async throws {
        let session = try await options.session(), language = try options.speech.chosen()
        // One that is only to be read is done by going on.
        let before = try session.state().passed
        if let task = session.lab.tasks.first(where: { !before.contains($0.name) }), task.isRead {
            try session.answer(task.name, "read")
            _ = try await session.results()
        }
        let passed = try session.state().passed
        let open = session.lab.tasks.filter { !passed.contains($0.name) && !$0.isWarning && $0.obstacle == nil }
        if !open.isEmpty, !skip {
            try LabWords.next(session, language)
            print("\n\(open.count) task\(open.count == 1 ? "" : "s") left; leave them with: minik lab next --skip")
            throw ExitCode(2)
        }
        guard let next = LabLibrary().next(after: session.lab.name) else {
            return print("\(session.lab.name) is the last lab. End it: minik lab stop")
        }
        try await LabBegin.stop(session)
        try LabWords.begin(try await LabBegin.start(next, after: session), language)
    }
}
