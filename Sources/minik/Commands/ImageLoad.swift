import ArgumentParser
import Glibc
import Host
import Images
import Lab
import Model
import Runtime

struct ImageLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Take in the images of an archive.",
        discussion: """
            Reads what docker save, podman save, buildah and skopeo write: docker-archive and oci-archive files, compressed or not, and
            OCI layout directories. docker save app:dev | minik image load -
            Or asks another store of this machine: minik image load --from docker:app:dev
            """)
    @Argument(help: "A file, a directory, or - for standard input.") var file: String?
    @Option(help: "docker:NAME, podman:NAME or containerd:NAME: what that one has on this machine.") var from: String?
    @Option(name: [.customShort("t"), .customLong("tag")], help: "What to call the image, in place of its names in the archive.")
    var tags: [String] = []
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        let names = try tags.map(ImageCommand.reference), source = try source()
        let progress = Progress()
        progress.begin("loading \(source.title)")
        let images: [ImageRecord]
        do {
            images = try await SmallProgram.blocking {
                let store = ImageStore()
                switch source {
                case .stream: return try store.load(stream: STDIN_FILENO, names: names, progress: progress.detail)
                case .file(let file): return try store.load(path: file, names: names, progress: progress.detail)
                case .foreign(let image): return try store.load(image, names: names, progress: progress.detail)
                }
            }
        } catch {
            progress.abandon()
            throw error
        }
        progress.end()
        if format.isJSON {
            let store = ImageStore()
            return print(JSON.array(try images.map { try store.summary($0).listed }).text(indented: true))
        }
        for image in images {
            for name in image.names { print("Loaded image: \(name)") }
            if image.names.isEmpty { print("Loaded image ID: \(image.id)") }
        }
    }

    private enum Source: Sendable {
        case stream
        case file(String)
        case foreign(ForeignImage)

        var title: String {
            switch self {
            case .stream: "standard input"
            case .file(let file): file
            case .foreign(let image): "\(image.owner)'s \(image.name)"
            }
        }
    }

    private func source() throws -> Source {
        switch (file, from) {
        case (nil, nil), (_?, _?):
            throw UserError("say what to load: a file, a directory, - or --from", hint: "minik image load --from docker:app:dev")
        case (nil, let text?):
            guard let image = ForeignImage(text) else {
                throw UserError("--from \(text) names no store", hint: "write docker:NAME, podman:NAME or containerd:NAME")
            }
            return .foreign(image)
        case ("-", nil):
            guard isatty(STDIN_FILENO) == 0 else {
                throw UserError("standard input is a terminal, and no archive", hint: "docker save app:dev | minik image load -")
            }
            return .stream
        case (let file?, nil):
            guard Files.exists(file) else { throw UserError("there is no file or directory \(file)") }
            return .file(file)
        }
    }
}
