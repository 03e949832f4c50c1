import ArgumentParser
import Glibc
import Host
import Images
import Lab
import Model
import Runtime

struct ImageImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make a root file system an image of one layer.",
        discussion: """
            mmdebstrap --variant=minbase bookworm root.tar && minik image import root.tar debian:mine --change 'CMD ["bash"]'
            A tar may be compressed. What is mounted below a directory stays out.
            """)
    @Argument(help: "A directory, a tar, or - for standard input.") var root: String
    @Argument(help: "What to call the image: NAME[:TAG].") var name: String?
    @Option(name: .shortAndLong, help: "A line of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR, ...")
    var change: [String] = []
    @Option(name: .shortAndLong, help: "What its history says of it.") var message: String?
    @OptionGroup var format: OutputOptions

    func run() async throws {
        try requireRoot()
        if root == "-", isatty(STDIN_FILENO) != 0 {
            throw UserError("standard input is a terminal, and no tar", hint: "tar -C ROOT -c . | minik image import - NAME")
        }
        if root != "-", !Files.exists(root) { throw UserError("there is no file or directory \(root)") }
        let source: RootImport.Source = root == "-" ? .stream(STDIN_FILENO) : Files.isDirectory(root) ? .directory(root) : .file(root)
        let wish = RootImport(
            source, name: try name.map(ImageCommand.reference), changes: try change.map { try ImageChange($0) }, message: message)
        let progress = Progress()
        progress.begin("importing \(root == "-" ? "standard input" : root)")
        let image: ImageRecord
        do { image = try await SmallProgram.blocking { try ImageStore().load(wish, progress: progress.detail) } } catch {
            progress.abandon()
            throw error
        }
        progress.end()
        print(format.isJSON ? JSON.array([try ImageStore().summary(image).listed]).text(indented: true) : image.id.description)
    }
}
