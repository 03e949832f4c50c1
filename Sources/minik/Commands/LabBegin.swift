import ArgumentParser
import Images
import Lab
import Model
import Runtime

struct LabBegin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a lab: by its name, its file or its folder.",
        discussion: """
            minik lab start across-nodes
            minik lab start ./my-lab.yaml
            minik lab start ./scenario, a folder as Killercoda has it
            minik lab start default-deny --kubeconfig FILE, in any Kubernetes cluster and without root: docs/labs.md says what it does there
            """)
    @Argument(help: "A name of minik lab list, a file, or a folder with a lab.yaml or Killercoda's index.json.") var lab: String
    @OptionGroup var speech: LabLanguage
    @Option(help: "Seconds to wait for the lab's objects to be ready.") var timeout = 120
    @Flag(name: .customLong("no-kubeconfig"), help: "Write no context minik-CLUSTER into the user's kubeconfig.") var withoutContext = false
    @Option(help: "Take the lab in the cluster that this file leads to.") var kubeconfig: String?
    @Option(help: "Which context of that file; without, its current one.") var context: String?
    @Option(help: "The image of the probes in that cluster.") var probeImage = GuestStart.standardImage

    func run() async throws {
        let language = try speech.chosen(), file = try LabLibrary().lab(lab)
        try Self.requireNone()
        let session: LabSession
        if let kubeconfig {
            session = try await Self.shown { progress in
                try await GuestStart(file, kubeconfig: kubeconfig, context: context, image: probeImage, progress).run(
                    patience: .seconds(timeout))
            }
        } else {
            try requireRoot()
            session = try await Self.start(file, timeout, !withoutContext)
        }
        try LabWords.begin(session, language)
        if let home = session.lab.home { print("\nWork on \(home): minik lab shell") }
        if session.guestRecord != nil { print("\nWork in its namespace, \(GuestNames.namespace): minik lab shell") }
        print("\nAsk for judgement with: minik lab check   For help: minik lab hint")
    }

    private static func requireNone() throws {
        if GuestGround.exists { throw UserError("a lab runs already, in a cluster of yours", hint: "end it first: minik lab stop") }
        if let running = LabSession.running().first {
            // Whose daemon is gone is told how it goes on before how it ends.
            try ClusterPaths(named: running).requireDaemon()
            throw UserError("a lab runs already, in cluster \"\(running)\"", hint: "end it first: minik lab stop")
        }
    }

    /// The next lab, or the same anew, where `session` was taken.
    static func start(_ file: LabFile, after session: LabSession) async throws -> LabSession {
        guard let record = session.guestRecord else { return try await start(file) }
        return try await shown { progress in
            try await GuestStart(file, kubeconfig: record.kubeconfig, context: record.context, image: record.image, progress).run()
        }
    }

    private static func start(_ file: LabFile, _ timeout: Int = 120, _ kubeconfig: Bool = true) async throws -> LabSession {
        try await shown { progress in
            if let scenario = file.scenario {
                let needs = ScenarioNeeds(scenario)
                for line in try needs.unreadable() + needs.lines { progress.note(line) }
            }
            return try await LabStart(file, images: MachineImages(), progress).run(
                writesKubeconfig: kubeconfig, patience: .seconds(timeout))
        }
    }

    private static func shown(_ start: (Progress) async throws -> LabSession) async throws -> LabSession {
        let progress = Progress()
        do {
            let session = try await start(progress)
            progress.finish("lab \"\(session.lab.name)\" is up")
            return session
        } catch {
            progress.abandon()
            throw error
        }
    }

    static func stop(_ session: LabSession) async throws {
        let problems = try await session.ground.clear()
        if session.guestRecord == nil { ImageStore().forgetPulls() }
        guard problems.isEmpty else {
            throw UserError("of the lab in \(session.ground.name) is left:\n  " + problems.joined(separator: "\n  "))
        }
    }
}
