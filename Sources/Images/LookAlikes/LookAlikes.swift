import Host
import Model
import Runtime
import Synchronization

/// minik's look-alikes of public images: each answers to its names with any tag, and is assembled when it is first asked for. What was
/// loaded or pulled under a name comes first: ask the store first.
package final class LookAlikes: ImageSource {
    /// Images are made anew when this changes: recipes are not all that they are made by.
    private static let version = 1

    /// How long an older one does where a newer one could not be made: without a network every try takes its time.
    private static let patience = Duration.seconds(600)

    let store: ImageStore
    let machine: PackageTree
    /// Where one of minik's own programs lies.
    let programs: @Sendable (String) -> String
    private let book: @Sendable () throws -> [ImageRecipe]
    private let failed = Mutex<[String: ContinuousClock.Instant]>([:])

    package init(
        store: ImageStore, machine: PackageTree = PackageTree(),
        book: @escaping @Sendable () throws -> [ImageRecipe] = { try RecipeBook.recipes },
        programs: @escaping @Sendable (String) -> String = SmallProgram.path
    ) {
        self.store = store
        self.machine = machine
        self.programs = programs
        self.book = book
    }

    package var recipes: [ImageRecipe] { get throws { try book() } }

    /// The recipe that answers to a name.
    package func recipe(_ reference: ImageReference) throws -> ImageRecipe? { try book().first { $0.answers(reference) } }

    package func resolve(_ reference: ImageReference) throws -> Image? {
        guard let recipe = try recipe(reference) else { return nil }
        guard let record = try current(recipe) else {
            return Image(id: "", configuration: ImageConfiguration(), layers: [], isStillToBeMade: true)
        }
        return try store.image(record)
    }

    /// One that is assembled; of an older state of things, where it could not be made anew.
    package func resolve(_ reference: ImageReference, for use: ImageUse) throws -> Image? {
        guard let recipe = try recipe(reference) else { return nil }
        return try store.take(for: use) { $0.lookAlike(recipe.title) }.map(store.image)
    }

    /// The store's list has them.
    package func listings() -> [ImageListing] { [] }

    /// What is assembled, of what there is now; or an older one for a while, where it could not be made anew.
    package func current(_ recipe: ImageRecipe) throws -> ImageRecord? {
        guard let record = try store.records().lookAlike(recipe.title), let stamp = record.lookAlike?.stamp else { return nil }
        // One of packages that were fetched has nothing on this machine that could change.
        let same = [self.stamp(recipe, isFetched: false), self.stamp(recipe, isFetched: true)]
        if same.contains(stamp) { return record }
        return failed.withLock { $0[recipe.title].map { $0 + Self.patience > .now } ?? false } ? record : nil
    }

    func noteFailure(_ recipe: ImageRecipe) { failed.withLock { $0[recipe.title] = .now } }

    func stamp(_ recipe: ImageRecipe, isFetched: Bool) -> String {
        let own = Set(recipe.programs.values).sorted().map { "\($0) \(Files.stamp(programs($0)))\n" }.joined()
        let head = "\(Self.version) \(recipe.digest)\n" + own
        if isFetched { return head + "fetched\n" }
        let busybox = recipe.hasApplets ? "busybox \(Files.stamp(Busybox.program))\n" : ""
        return head + busybox + machine.stamp(Array(recipe.packages.keys))
    }
}
