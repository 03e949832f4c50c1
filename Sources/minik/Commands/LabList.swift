import ArgumentParser
import Lab
import Model

struct LabList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the labs of this installation.")
    @OptionGroup var speech: LabLanguage
    @Option(name: .shortAndLong, help: "text or json.") var output = "text"

    func run() async throws {
        let language = try speech.chosen(), library = LabLibrary(), entries = library.all()
        if output == "json" {
            let labs = entries.compactMap { try? $0.file.get() }.map { file -> JSON in
                [
                    "name": .string(file.lab.name), "title": .string(file.lab.title[language]),
                    "difficulty": .string(file.lab.difficulty), "minutes": .int(file.lab.minutes),
                    "tasks": .array(file.lab.tasks.map { .string($0.name) }), "file": .string(file.path),
                ]
            }
            return print(JSON.array(labs).text(indented: true))
        }
        guard !entries.isEmpty else {
            throw UserError("no labs are found", hint: "say where they are: MINIK_LABS=DIRECTORY minik lab list")
        }
        let rows = entries.map { name, file -> [String] in
            switch file {
            case .success(let file): [name, file.lab.difficulty, "\(file.lab.minutes) min", file.lab.title[language]]
            case .failure(let error): [name, "-", "-", "\(error)"]
            }
        }
        TextTable(header: ["NAME", "DIFFICULTY", "TIME", "TITLE"], rows: rows).print()
    }
}
