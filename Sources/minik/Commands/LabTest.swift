import ArgumentParser
import Host
import Images
import Lab
import Model
import Runtime
import Synchronization

struct LabTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Test labs: nothing is done at first, wrong answers fail in their own words, solutions pass.",
        discussion: "minik lab test ./my-lab.yaml\nminik lab test --all")
    @Argument(help: "Labs: names, files or folders.") var labs: [String] = []
    @Flag(help: "All labs of this installation.") var all = false
    @OptionGroup var speech: LabLanguage
    @Option(help: "Write the results to this file as JUnit.") var junit: String?
    @Flag(name: .shortAndLong, help: "Say only what is wrong.") var quiet = false

    private static let quiet = Quiet()
    private static let prefix = "labtest-", longestName = 32

    func run() async throws {
        try requireRoot()
        guard all != !labs.isEmpty else { throw UserError("name labs, or say --all", hint: "see: minik lab list") }
        let language = try speech.chosen(), library = LabLibrary()
        let files = all ? try library.all().map { try $0.file.get() } : try labs.map { try library.lab($0) }
        guard !files.isEmpty else { throw UserError("there are no labs", hint: "MINIK_LABS=DIRECTORY says where they are") }
        var suites: [JUnit] = [], failed: [String] = []
        for file in files {
            if !quiet { print("\(file.lab.name)") }
            let begun = ContinuousClock.now
            var steps: [LabTrial.Step] = [], cases: [JUnit.Case]
            do {
                steps = try await trial(file, language)
                cases = steps.map { JUnit.Case($0.name, failure: $0.failure, time: $0.time) }
            } catch {
                let name = "the lab can be taken", time = ContinuousClock.now - begun
                steps = [LabTrial.Step(name: name, failure: "\(error)", time: time)]
                cases = [JUnit.Case(name, error: "\(error)", time: time)]
                print("  ✗ \(error)")
            }
            let wrong = steps.filter { $0.failure != nil }
            if quiet { for step in wrong { print("\(file.lab.name): \(step.name): \(step.failure ?? "")") } }
            if !wrong.isEmpty { failed.append(file.lab.name) }
            suites.append(JUnit(suite: "minik lab test \(file.lab.name)", cases: cases))
            let seconds = (ContinuousClock.now - begun).components
            let time = "\(seconds.seconds).\(seconds.attoseconds / 100_000_000_000_000_000) s"
            if !quiet { print("  \(steps.count - wrong.count) of \(steps.count) as they should be, \(time)") }
        }
        if let junit { try Files.write(JUnit.text(suites), to: junit) }
        guard failed.isEmpty else { throw UserError("\(failed.count) of \(files.count) labs failed: \(failed.joined(separator: ", "))") }
        print("\(files.count) lab\(files.count == 1 ? "" : "s"), all as they should be")
    }

    private func trial(_ file: LabFile, _ language: LabText.Language) async throws -> [LabTrial.Step] {
        let session = try await LabStart(file, images: MachineImages(), Self.quiet).run(
            as: Self.name(file), writesKubeconfig: false)
        let outcome: Result<[LabTrial.Step], any Error>
        do {
            outcome = .success(try await LabTrial(session, language) { [quiet] line in if !quiet { print("  \(line)") } }.run())
        } catch { outcome = .failure(error) }
        try await LabBegin.stop(session)
        return try outcome.get()
    }

    private static func name(_ file: LabFile) -> String {
        var name = String((prefix + file.lab.name).prefix(longestName))
        while name.hasSuffix("-") { name.removeLast() }
        return name
    }

    /// Nobody watches how a lab comes up that is only tested; what should be known is told once.
    private final class Quiet: ProgressReport {
        private let told = Mutex<Set<String>>([])

        func begin(_ stage: String) {}
        func detail(_ text: String) {}
        func end() {}
        func note(_ text: String) { if told.withLock({ $0.insert(text).inserted }) { printError(text) } }
    }
}
