import Model

/// A line of a Dockerfile that says something of an image's configuration: what `docker import --change` takes.
package struct ImageChange: Sendable {
    private let instruction: String
    private let rest: String

    private static let known = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    package init(_ text: String) throws(ImageError) {
        let line = text.trimmed, word = line.prefix { !$0.isWhitespace }
        (instruction, rest) = (word.uppercased(), String(line.dropFirst(word.count)).trimmed)
        guard Self.known.contains(instruction) else {
            throw ImageError("\"\(text)\" is no change that an image takes", hint: "it begins with \(Self.known.joined(separator: ", "))")
        }
        guard !rest.isEmpty else { throw ImageError("\"\(text)\" says nothing of \(instruction)", hint: "write \(instruction) VALUE") }
        if instruction == "STOPSIGNAL", ImageDescription.number(ofSignal: rest) == nil { throw ImageError("\"\(rest)\" is no signal") }
        if ["ENV", "LABEL"].contains(instruction), pairs.isEmpty {
            throw ImageError("\"\(text)\" gives no value", hint: "write \(instruction) NAME=VALUE")
        }
    }

    /// Makes the change to an image's `config`. (opencontainers/image-spec config.md)
    package func apply(to config: inout JSON) {
        switch instruction {
        case "CMD": config["Cmd"] = command
        case "ENTRYPOINT": config["Entrypoint"] = command
        case "ENV":
            var list = config["Env"].items.compactMap(\.string)
            for (name, value) in pairs {
                list.removeAll { $0.hasPrefix("\(name)=") }
                list.append("\(name)=\(value)")
            }
            config["Env"] = .array(list.map(JSON.string))
        case "LABEL": for (name, value) in pairs { config.add(value: .string(value), named: name, to: "Labels") }
        case "EXPOSE":
            for port in Self.words(rest) {
                config.add(value: .emptyObject, named: port.contains("/") ? port : "\(port)/tcp", to: "ExposedPorts")
            }
        case "VOLUME": for path in list ?? Self.words(rest) { config.add(value: .emptyObject, named: path, to: "Volumes") }
        case "ONBUILD": config["OnBuild"] = .array(config["OnBuild"].items + [.string(rest)])
        case "STOPSIGNAL": config["StopSignal"] = .string(rest)
        case "USER": config["User"] = .string(rest)
        default:
            let before = config["WorkingDir"].string ?? "/"
            config["WorkingDir"] = .string(rest.hasPrefix("/") ? rest : before.hasSuffix("/") ? before + rest : "\(before)/\(rest)")
        }
    }

    /// A list of words as JSON; nil where it is none.
    private var list: [String]? {
        guard rest.hasPrefix("["), let items = try? JSON(parsing: rest).array else { return nil }
        let words = items.compactMap(\.string)
        return words.count == items.count ? words : nil
    }

    /// A list of words, or what a shell is to read.
    private var command: JSON { .array((list ?? ["/bin/sh", "-c", rest]).map(JSON.string)) }

    /// `A=1 B="2 3"`, or the older `A 1 and all that follows`.
    private var pairs: [(String, String)] {
        let words = Self.words(rest)
        guard let first = words.first else { return [] }
        if !first.contains("=") {
            let value = String(rest.dropFirst(rest.prefix { !$0.isWhitespace }.count)).trimmed
            return value.isEmpty ? [] : [(first, value)]
        }
        let pairs = words.compactMap { word -> (String, String)? in
            guard let cut = word.firstIndex(of: "="), cut > word.startIndex else { return nil }
            return (String(word[..<cut]), String(word[word.index(after: cut)...]))
        }
        return pairs.count == words.count ? pairs : []
    }

    /// Words as a shell would part them: quotes and backslashes are taken off.
    private static func words(_ text: String) -> [String] {
        var words: [String] = [], word: String?, quote: Character?, isEscaped = false
        for letter in text {
            if isEscaped {
                word = (word ?? "") + String(letter)
                isEscaped = false
            } else if letter == "\\", quote != "'" {
                isEscaped = true
            } else if letter == quote {
                quote = nil
            } else if quote == nil, letter == "\"" || letter == "'" {
                quote = letter
                word = word ?? ""
            } else if quote == nil, letter.isWhitespace {
                if let whole = word { words.append(whole) }
                word = nil
            } else {
                word = (word ?? "") + String(letter)
            }
        }
        if let word { words.append(word) }
        return words
    }
}

extension JSON {
    fileprivate mutating func add(value: JSON, named name: String, to map: String) {
        var members = self[map].isNull ? .emptyObject : self[map]
        members[name] = value
        self[map] = members
    }
}
