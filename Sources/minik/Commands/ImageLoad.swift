import ArgumentParser
import Glibc
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
            """)
    @Argument(help: "A file, a directory, or - for standard input.") var file: String
    @Option(name: [.customShort("t"), .customLong("tag")], help: "What to call the image, in place of its names in the archive.")
    var tags: [String] = []
    @OptionGroup var format: ImageOutput

    func run() async throws {
        try requireRoot()
        let names = try tags.map(ImageCommand.reference), file = file
        if file == "-", isatty(STDIN_FILENO) != 0 {
            throw UserError("standard input is a terminal, and no archive", hint: "docker save app:dev | minik image load -")
        }
        if file != "-", !Files.exists(file) { throw UserError("there is no file or directory \(file)") }
        let progress = Progress()
        progress.begin("loading \(file == "-" ? "standard input" : file)")
        let images: [ImageRecord]
        do {
            images = try await SmallProgram.blocking {
                let store = ImageStore()
                if file == "-" { return try store.load(stream: STDIN_FILENO, names: names, progress: progress.detail) }
                return try store.load(path: file, names: names, progress: progress.detail)
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
}
