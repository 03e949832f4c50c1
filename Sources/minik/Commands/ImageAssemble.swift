import ArgumentParser
import Host
import Images
import Lab
import Model
import Runtime

struct ImageAssemble: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assemble", abstract: "Make minik's own look-alikes of public images, before pods ask for them.",
        discussion: """
            A pod that asks for one has it made then, of Debian's packages: those of this machine where they are installed, else fetched
            ones. Before a machine loses its network: minik image assemble nginx redis.
            """)
    @Argument(help: "Names, as pods have them; none: all there are.") var names: [String] = []

    func run() async throws {
        try requireRoot()
        let lookAlikes = MachineImages().lookAlikes
        let recipes = try names.isEmpty ? lookAlikes.recipes : names.map { try recipe($0, lookAlikes) }
        for recipe in recipes {
            let progress = Progress()
            progress.begin("assembling \(recipe.title)")
            do { try await SmallProgram.blocking { _ = try lookAlikes.assemble(recipe, tell: progress.detail) } } catch {
                progress.abandon()
                throw error
            }
            progress.end()
        }
    }

    private func recipe(_ name: String, _ lookAlikes: LookAlikes) throws -> ImageRecipe {
        guard let recipe = try ImageReference(name).flatMap(lookAlikes.recipe) else {
            throw UserError(
                "minik has no look-alike of \"\(name)\"",
                hint:
                    "there are: \(try lookAlikes.recipes.map(\.name).joined(separator: " ")); minik image pull takes others from a registry"
            )
        }
        return recipe
    }
}
