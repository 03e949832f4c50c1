import API
import Glibc
import Host
import Model

/// The labs of this installation: folders with a lab.yaml.
package struct LabLibrary {
    /// A lab that could be read, or why it could not.
    package typealias Entry = (name: String, file: Result<LabFile, any Error>)

    package let folder: String?

    /// `folder`: where labs lie; nil: where $MINIK_LABS says, where they are installed, or in the source tree around the program.
    package init(folder: String? = nil) { self.folder = folder ?? Self.found() }

    private static func found() -> String? {
        if let named = getenv("MINIK_LABS") { return String(cString: named) }
        // PREFIX/bin or PREFIX/libexec/minik, with PREFIX/share/minik/labs; or SOURCE/.build/*/*, with SOURCE/labs.
        var place = SmallProgram.path("")
        while let cut = place.lastIndex(of: "/"), !place.isEmpty {
            place = String(place[..<cut])
            for folder in ["\(place)/share/minik/labs", "\(place)/labs"] where names(in: folder).isEmpty == false { return folder }
        }
        return nil
    }

    private static func names(in folder: String) -> [String] { Files.list(folder).filter { Files.exists("\(folder)/\($0)/lab.yaml") } }

    /// In the order in which they are taken.
    package func all() -> [Entry] {
        guard let folder else { return [] }
        let entries: [Entry] = Self.names(in: folder).map { name in (name, Result { try LabFile("\(folder)/\(name)") }) }
        func order(_ entry: Entry) -> Int { if case .success(let file) = entry.file { file.lab.order } else { Int.max } }
        return entries.sorted { (order($0), $0.name) < (order($1), $1.name) }
    }

    /// A lab by its name, or by the path of its file or folder.
    package func lab(_ name: String) throws -> LabFile {
        if name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") { return try LabFile(name) }
        if let folder, Self.names(in: folder).contains(name) { return try LabFile("\(folder)/\(name)") }
        if Files.isDirectory(name) { return try LabFile(name) }
        let known = folder.map(Self.names) ?? []
        throw UserError(
            "there is no lab \"\(name)\"",
            hint: known.isEmpty ? "say where labs are: MINIK_LABS=DIRECTORY, or name a file" : "there are: \(known.joined(separator: ", "))"
        )
    }

    /// The lab that comes after this one.
    package func next(after name: String) -> LabFile? {
        let labs = all().compactMap { try? $0.file.get() }
        guard let place = labs.firstIndex(where: { $0.lab.name == name }), place + 1 < labs.count else { return nil }
        return labs[place + 1]
    }
}
