import ArgumentParser
import Lab
import Model

struct LinkSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Say how a node's link behaves from now on; what is not named is as on a plain link.")
    @OptionGroup var link: LinkArgument
    @Argument(help: ArgumentHelp("clear makes it a plain link again.", valueName: "clear")) var word: String?
    @Option(help: "How long a packet takes each way: 50ms.") var delay: String?
    @Option(help: "By how much the delay varies: 5ms.") var jitter: String?
    @Option(help: "Packets lost of a hundred: 1%.") var loss: String?
    @Option(help: "How much passes: 10mbit.") var rate: String?
    @Option(help: "Packets of a hundred in which a bit turns: 0.1%.") var corrupt: String?
    @Option(help: "Packets of a hundred that overtake the delayed ones: 25%.") var reorder: String?

    private var said: [(Cluster.NodeLink.Field, String)] {
        [(.delay, delay), (.jitter, jitter), (.loss, loss), (.rate, rate), (.corrupt, corrupt), (.reorder, reorder)].compactMap {
            field, text in text.map { (field, $0) }
        }
    }

    func validate() throws {
        guard word == nil || word == "clear" && said.isEmpty else {
            throw ValidationError("\"\(word ?? "")\" is no option of a link; clear stands alone")
        }
        guard word != nil || !said.isEmpty else { throw ValidationError("say how the link is to be, such as --delay 50ms, or clear") }
    }

    func run() async throws {
        try link.change { link in
            var new = Cluster.NodeLink(node: link.node)
            new.isPartitioned = link.isPartitioned
            do throws(Cluster.NodeLink.Problem) {
                for (field, text) in said { try new.set(field, text) }
                try new.check()
            } catch { throw UserError("--\(error.field.rawValue): \(error)") }
            link = new
        }
    }
}
