import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct LabBegin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a lab: by its name, its file or its folder.",
        discussion: "minik lab start across-nodes\nminik lab start ./my-lab.yaml\nminik lab start ./scenario, a folder as Killercoda has it"
    )
    @Argument(help: "A name of minik lab list, a file, or a folder with a lab.yaml or Killercoda's index.json.") var lab: String
    @OptionGroup var speech: LabLanguage
    @Option(help: "Seconds to wait for the lab's objects to be ready.") var timeout = 120
    @Flag(inversion: .prefixedNo, help: "Write the context minik-CLUSTER into the user's kubeconfig.") var kubeconfig = true

    func run() async throws {
        try requireRoot()
        let language = try speech.chosen(), file = try LabLibrary().lab(lab)
        if let running = LabSession.running().first {
            // Whose daemon is gone is told how it goes on before how it ends.
            try ClusterPaths(named: running).requireDaemon()
            throw UserError("a lab runs already, in cluster \"\(running)\"", hint: "end it first: minik lab stop")
        }
        let session = try await Self.start(file, timeout, kubeconfig)
        try LabWords.begin(session, language)
        if let home = session.lab.home { print("\nWork on \(home): minik lab shell") }
        print("\nAsk for judgement with: minik lab check   For help: minik lab hint")
    }

    static func start(_ file: LabFile, _ timeout: Int = 120, _ kubeconfig: Bool = true) async throws -> LabSession {
        let progress = Progress()
        if let scenario = file.scenario {
            let needs = ScenarioNeeds(scenario)
            for line in try needs.unreadable() + needs.lines { progress.note(line) }
        }
        do {
            let session = try await LabStart(file, images: MachineImages(), progress).run(
                writesKubeconfig: kubeconfig, patience: .seconds(timeout))
            progress.finish("lab \"\(file.lab.name)\" is up")
            return session
        } catch {
            progress.abandon()
            throw error
        }
    }

    static func stop(_ session: LabSession) async throws {
        let problems = try await LabStart.stop(session.paths)
        ImageStore().forgetPulls()
        guard problems.isEmpty else {
            throw UserError("cluster \"\(session.paths.cluster)\" is not down; left is:\n  " + problems.joined(separator: "\n  "))
        }
    }
}
