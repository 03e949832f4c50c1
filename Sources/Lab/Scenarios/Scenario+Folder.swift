import API
import Host
import Model

extension Scenario {
    static let index = "index.json"

    /// Whether a folder, or an index.json, is a scenario rather than a lab.
    package static func isOne(_ path: String) -> Bool {
        if path.hasSuffix("/\(index)") || path == index { return Files.exists(path) }
        return Files.isDirectory(path) && !Files.exists("\(path)/lab.yaml") && Files.exists("\(path)/\(index)")
    }

    /// Reads the folder. What it names and has not is an error; what it says that means nothing here is left alone.
    package init(_ path: String) throws {
        folder = DocumentPath.whole(Files.isDirectory(path) ? path : String(path.dropLast(Self.index.count)) + ".", in: "")
        let reading = ScenarioReading(folder: folder)
        let json = try reading.index()
        name = Self.name(of: folder)
        title = json["title"].string ?? name
        description = json["description"].string ?? ""
        let details = json["details"]
        image = Image(json["backend"]["imageid"].string ?? "ubuntu")
        intro = try details["intro"].object.map { _ in try reading.page(details["intro"], "intro", "details.intro") }
        steps = try details["steps"].items.enumerated().map {
            try reading.page($1, "step\($0 + 1)", "details.steps[\($0)]")
        }
        finish = try details["finish"].object.map { _ in try reading.page(details["finish"], "finish", "details.finish") }
        assets = try reading.assets(details["assets"], image)
    }

    /// A folder's name in the letters that a lab's may have.
    private static func name(of folder: String) -> String {
        let last = folder.split(separator: "/").last { $0 != "." }.map(String.init) ?? "scenario"
        let letters = last.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let name = String(letters).split(separator: "-").joined(separator: "-").prefix(32)
        return Cluster.isName(String(name)) ? String(name) : "scenario"
    }
}

/// Reads what an index.json names.
private struct ScenarioReading {
    let folder: String

    private func fail(_ field: String, _ message: String) -> UserError { UserError("\(folder)/\(Scenario.index): \(field): \(message)") }

    func index() throws -> JSON {
        let path = "\(folder)/\(Scenario.index)"
        guard var text = String(validating: try Files.read(path), as: UTF8.self) else { throw UserError("\(path) is not UTF-8 text") }
        if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
        let json: JSON
        do { json = try JSON(parsing: text) } catch { throw UserError("\(path): \(error)") }
        guard json.object != nil else { throw UserError("\(path) holds no JSON object") }
        return json
    }

    func page(_ json: JSON, _ name: String, _ field: String) throws -> Scenario.Page {
        // Katacoda's words for the same: `code` is seen, `courseData` is not.
        func script(_ names: [String]) throws -> Scenario.Script? {
            guard let name = names.first(where: { json[$0].string?.isEmpty == false }), let path = json[name].string else { return nil }
            return Scenario.Script(path: path, text: try text(path, "\(field).\(name)"))
        }
        return try Scenario.Page(
            name: name, title: json["title"].string ?? name,
            text: json["text"].string.map { $0.isEmpty ? "" : try text($0, "\(field).text") } ?? "",
            foreground: script(["foreground", "code"]), background: script(["background", "courseData"]), verify: script(["verify"]))
    }

    /// A text file of the folder, with the line ends of this system.
    private func text(_ path: String, _ field: String) throws -> String {
        let whole = try inside(path, field)
        guard Files.exists(whole), !Files.isDirectory(whole) else { throw fail(field, "there is no file \(path)") }
        guard let text = String(validating: try Files.read(whole), as: UTF8.self) else { throw fail(field, "\(path) is not UTF-8 text") }
        return text.replacing("\r\n", with: "\n")
    }

    private func inside(_ path: String, _ field: String) throws -> String {
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw fail(field, "\(path) leads out of the scenario's folder")
        }
        return "\(folder)/\(path)"
    }

    func assets(_ json: JSON, _ image: Scenario.Image) throws -> [Scenario.Asset] {
        var assets: [Scenario.Asset] = []
        for (host, files) in json.object ?? JSONObject() {
            guard let node = image.machine(ofHost: host) else {
                let names = image.machines.map(\.name).joined(separator: ", ")
                throw fail("details.assets.\(host)", "\(image.id) has no such machine, but \(names)")
            }
            for (index, item) in files.items.enumerated() {
                let field = "details.assets.\(host)[\(index)]", pattern = item["file"].string ?? ""
                _ = try inside(pattern, "\(field).file")
                let target = (item["target"].string ?? "/root").replacing(/^~/, with: "/root")
                let found = matches(pattern)
                guard !found.isEmpty else { throw fail("\(field).file", "there is no file assets/\(pattern)") }
                assets += found.map { path, below in
                    Scenario.Asset(
                        path: "assets/\(path)", node: node, target: target.hasSuffix("/") ? target + below : "\(target)/\(below)",
                        isExecutable: item["chmod"].string?.contains("x") == true)
                }
            }
        }
        return assets
    }

    /// The files below assets/ that are meant, each with its path below the part that has no star: `app/*.yaml`, `**`.
    private func matches(_ pattern: String) -> [(path: String, below: String)] {
        let parts = pattern.split(separator: "/").map(String.init), stars = parts.firstIndex { $0.contains("*") } ?? parts.count - 1
        guard !parts.isEmpty else { return [] }
        let above = parts[..<stars].joined(separator: "/"), rest = parts[stars...].joined(separator: "/")
        let base = "\(folder)/assets" + (above.isEmpty ? "" : "/\(above)")
        return files(in: base).filter { ShellPattern.matches(rest, $0) }.sorted().map { ((above.isEmpty ? "" : "\(above)/") + $0, $0) }
    }

    private func files(in folder: String) -> [String] {
        Files.list(folder).flatMap { name in
            Files.isDirectory("\(folder)/\(name)") ? files(in: "\(folder)/\(name)").map { "\(name)/\($0)" } : [name]
        }
    }
}
