import ArgumentParser
import Host
import Lab

struct LabExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a lab in another tutorial site's format.",
        discussion: """
            minik lab export killercoda policy-httpd ./scenario

            What the other cannot say or judge is told. minik lab start ./scenario takes the folder, too.
            """)
    @Argument(help: "killercoda.") var format: String
    @Argument(help: "The lab: a name, a file or a folder.") var lab: String
    @Argument(help: "The directory, which must not be there yet.") var directory: String
    @OptionGroup var speech: LabLanguage

    func run() async throws {
        guard format == "killercoda" else { throw UserError("there is no format \"\(format)\"", hint: "there is: killercoda") }
        guard !Files.exists(directory) else { throw UserError("\(directory) is there already", hint: "name a directory that is not") }
        let file = try LabLibrary().lab(lab)
        guard file.scenario == nil else { throw UserError("\(lab) is a scenario of Killercoda's already") }
        var export = ScenarioExport(file, try speech.chosen())
        let files = try export.files()
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            let whole = "\(directory)/\(path)"
            try Files.makeDirectory(String(whole[..<(whole.lastIndex(of: "/") ?? whole.startIndex)]))
            try Files.write(text, to: whole, mode: path.hasSuffix(".sh") ? 0o755 : 0o644)
        }
        print("\(directory): \(file.lab.tasks.count) steps")
        for line in export.losses { print("not there: \(line)") }
    }
}
