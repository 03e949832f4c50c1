import ArgumentParser
import Lab

struct FaultShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Tell a fault: what it does, how one sees it, how clear undoes it.")
    @Argument(help: "The fault; minik fault list has them.") var name: String

    func run() throws {
        let fault = try Fault.named(name)
        print("\(fault.name): \(fault.summary)\n\n  does   \(fault.effect)\n  seen   \(fault.signs)\n  clear  \(fault.undo)")
        for need in fault.needs { print("  needs  \(need.rawValue)") }
        guard case .scripts(let inject, let clear) = fault.means else { return }
        for (title, script) in [("inject", inject), ("clear", clear)] {
            print("\n\(title), on \(fault.isEverywhere ? "each node" : "the node"):\n")
            for line in script.split(separator: "\n", omittingEmptySubsequences: false) { print("    \(line)") }
        }
    }
}
