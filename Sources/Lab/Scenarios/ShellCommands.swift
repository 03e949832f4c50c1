/// The programs that a shell's script calls, as far as its words tell: what stands where a command stands. Quoted text, comments and
/// here-documents are passed over. (POSIX.1-2024, Shell Command Language, 2.9 and 2.10)
struct ShellCommands {
    struct Call: Hashable {
        let name: String
        let line: Int
    }

    private(set) var calls: [Call] = []
    private var functions: Set<String> = []

    init(_ script: String) {
        var lines = Self.bare(Self.withoutHereDocuments(script)).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)[
            ...]
        var number = 0, depth = 0
        while var line = lines.popFirst() {
            number += 1
            let first = number
            while line.hasSuffix("\\"), let more = lines.popFirst() {
                line = line.dropLast() + more
                number += 1
            }
            // What stands in `${}`, `(())` and `[[]]` is no command.
            read(line.replacing(/\$\{[^}]*\}|\(\([^)]*\)\)|\[\[.*?\]\]/, with: "_"), first, &depth)
        }
        calls.removeAll { functions.contains($0.name) }
    }

    /// What a here-document holds is no command: its lines are empty.
    private static func withoutHereDocuments(_ script: String) -> String {
        var lines = script.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var end: (word: String, hasTabs: Bool)?
        for index in lines.indices {
            if let open = end {
                if (open.hasTabs ? String(lines[index].drop { $0 == "\t" }) : lines[index]) == open.word { end = nil }
                lines[index] = ""
            } else if let found = lines[index].firstMatch(of: /(^|[^<])<<(-?)\s*\\?["']?([A-Za-z_][A-Za-z0-9_]*)/) {
                end = (String(found.3), !found.2.isEmpty)
            }
        }
        return lines.joined(separator: "\n")
    }

    private mutating func read(_ line: String, _ number: Int, _ depth: inout Int) {
        if let name = line.firstMatch(of: /^\s*(?:function\s+)?([A-Za-z_][\w-]*)\s*\(\s*\)/) { functions.insert(String(name.1)) }
        if let name = line.firstMatch(of: /^\s*function\s+([\w-]+)/) { functions.insert(String(name.1)) }
        var piece = ""
        for character in line + ";" {
            switch character {
            case ";", "|", "&", "`", "{", "}":
                note(piece, number)
                piece = ""
            case "(":
                note(piece, number)
                (piece, depth) = ("", depth + 1)
            case ")":
                // Before a `)` that closes nothing stands a pattern of `case`.
                if depth > 0 {
                    note(piece, number)
                    depth -= 1
                }
                piece = ""
            default: piece.append(character)
            }
        }
    }

    private static let before: Set<String> = [
        "if", "then", "else", "elif", "do", "while", "until", "!", "time", "sudo", "exec", "nohup", "env", "command", "setsid", "xargs",
    ]
    private static let builtins: Set<String> = [
        "alias", "bg", "break", "builtin", "case", "cd", "continue", "declare", "done", "echo", "esac", "eval", "exit", "export", "false",
        "fg", "fi", "for", "function", "getopts", "hash", "history", "in", "jobs", "kill", "let", "local", "mapfile", "popd", "printf",
        "pushd", "pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt", "source", "test", "times", "trap",
        "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    ]

    private mutating func note(_ piece: String, _ number: Int) {
        for word in piece.split(whereSeparator: \.isWhitespace) {
            if Self.before.contains(String(word)) || word.contains(/^[A-Za-z_]\w*\+?=/) { continue }
            guard word.wholeMatch(of: /[a-z][a-z0-9_.+-]*/) != nil, !Self.builtins.contains(String(word)) else { return }
            return calls.append(Call(name: String(word), line: number))
        }
    }

    /// The script with its comments gone and nothing between quotes, line by line as it was.
    private static func bare(_ script: String) -> String {
        var text = "", quote: Character?, escaped = false, last: Character = "\n"
        var isComment = false
        for character in script {
            defer { last = character }
            if character == "\n" { isComment = false }
            if isComment { continue }
            if escaped {
                escaped = false
                // A line that goes on, and a quote that is none.
                text += character == "\n" && quote == nil ? "\\\n" : character == "\n" ? "\n" : "_"
            } else if character == "\\", quote != "'" {
                escaped = true
            } else if let open = quote {
                if character == open { quote = nil }
                if character == "\n" { text.append(character) }
                if character == open { text += "_" }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "#", last.isWhitespace || last == ";" {
                isComment = true
            } else {
                text.append(character)
            }
        }
        return text
    }
}
