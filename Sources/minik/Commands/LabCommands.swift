import ArgumentParser
import Glibc
import Lab
import Model
import Runtime

struct LabCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "Learn by doing: tasks in a cluster of their own, judged by real packets.",
        discussion: "minik lab list, then sudo minik lab start NAME. How a lab is written: docs/labs.md",
        subcommands: [
            LabList.self, LabBegin.self, LabStatus.self, LabCheckCommand.self, LabAnswer.self, LabHintCommand.self, LabSolve.self,
            LabReset.self, LabNext.self, LabStop.self, LabTest.self, LabShellCommand.self, LabExport.self,
        ])
}

/// Which lab that runs a command is about, and the language to speak.
struct LabOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "The lab's cluster; needed only when several labs run.")
    var cluster: String?

    @OptionGroup var speech: LabLanguage

    func session() async throws -> LabSession {
        let isNamed = cluster != nil || getenv("MINIK_CLUSTER") != nil
        if GuestGround.exists, !isNamed {
            var session = try await LabSession.guest()
            session.heard = { printError($0) }
            return session
        }
        try requireRoot()
        let running = LabSession.running()
        let named = cluster ?? getenv("MINIK_CLUSTER").map { String(cString: $0) }
        if let named {
            guard running.contains(named) else { throw UserError("cluster \"\(named)\" runs no lab", hint: "see: minik lab list") }
            return try session(named)
        }
        guard let only = running.first else { throw UserError("no lab runs", hint: "see: minik lab list; then minik lab start NAME") }
        guard running.count == 1 else {
            throw UserError("several labs run: \(running.joined(separator: ", "))", hint: "choose one with --cluster NAME")
        }
        return try session(only)
    }

    private func session(_ name: String) throws -> LabSession {
        var session = try LabSession(ClusterPaths(named: name))
        // Beside what a machine reads.
        session.heard = { printError($0) }
        return session
    }

    /// The named task of a lab; without a name the first that is open.
    func task(_ name: String?, in session: LabSession) throws -> LabTask {
        let tasks = session.lab.tasks
        if let name {
            guard let task = session.lab.task(name) else {
                throw UserError("the lab has no task \"\(name)\"", hint: "there are: \(tasks.map(\.name).joined(separator: ", "))")
            }
            return task
        }
        let state = try session.state()
        guard let open = tasks.first(where: { !state.passed.contains($0.name) && $0.obstacle == nil }) else {
            throw UserError("all tasks are done", hint: "go on: minik lab next")
        }
        return open
    }
}

struct LabLanguage: ParsableArguments {
    @Option(help: "en or zh; without, as $LANG has it.") var lang: String?

    func chosen() throws -> LabText.Language {
        if let lang {
            guard let language = LabText.Language(rawValue: lang) else { throw UserError("\"\(lang)\" is none of en, zh") }
            return language
        }
        let names: [String] = ["LC_ALL", "LANG"].compactMap { (name: String) -> String? in getenv(name).map { String(cString: $0) } }
        return names.first(where: { !$0.isEmpty })?.hasPrefix("zh") == true ? .chinese : .english
    }
}

/// What a lab says of itself and of its tasks.
enum LabWords {
    static func begin(_ session: LabSession, _ language: LabText.Language) throws {
        let lab = session.lab
        print("\n\(lab.title[language])\n")
        for objective in lab.objectives { print("- \(objective[language])") }
        if let intro = lab.intro { print("\n\(intro[language].trimmed)") }
        try next(session, language)
    }

    /// The first task that is open, or that there is none.
    static func next(_ session: LabSession, _ language: LabText.Language) throws {
        let state = try session.state()
        guard let task = session.lab.tasks.first(where: { !state.passed.contains($0.name) && $0.obstacle == nil }) else {
            print("\n\(session.lab.outro?[language].trimmed ?? "All tasks are done.")")
            return
        }
        let number = session.lab.tasks.firstIndex { $0.name == task.name } ?? 0
        print("\n[\(number + 1)/\(session.lab.tasks.count)] \(task.title[language])  (\(task.name))\n\n\(task.text[language].trimmed)")
    }
}
