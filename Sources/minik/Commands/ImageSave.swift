import ArgumentParser
import Glibc
import Host
import Images
import Lab
import Runtime

struct ImageSave: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save", abstract: "Write images into an archive.",
        discussion: """
            minik image load, docker load, podman load and skopeo read it. minik image save app:dev web:1 -o images.tar, or
            minik image save app:dev | docker load
            """)
    @Argument(help: "NAME[:TAG], a digest, or the beginning of an ID.") var images: [String]
    @Option(name: .shortAndLong, help: "The file to write; standard output without it.") var output: String?
    @Option(help: "docker-archive or oci-archive.") var format = ArchiveFormat.docker

    func run() async throws {
        try requireRoot()
        if output == nil, isatty(STDOUT_FILENO) != 0 {
            throw UserError("standard output is a terminal, which shows no archive", hint: "give a file with -o, or redirect it")
        }
        let progress = Progress(), file = output, images = images, format = format
        if file != nil { progress.begin("saving \(images.joined(separator: " "))") }
        do {
            try await SmallProgram.blocking {
                if let file { return try ImageStore().save(images, as: format, path: file, progress: progress.detail) }
                try ImageStore().save(images, as: format, to: STDOUT_FILENO, name: "standard output")
            }
        } catch {
            progress.abandon()
            throw error
        }
        if file != nil { progress.end() }
    }
}

extension ArchiveFormat: ExpressibleByArgument {}
