import Glibc
import Model
import Runtime

/// What an image's configuration says, read. (opencontainers/image-spec config.md)
package struct ImageDescription: Sendable {
    package let json: JSON
    package let platform: Platform
    package let created: Timestamp?
    /// The digests of the layers without their compression, the lowest first.
    package let layers: [ContentDigest]
    package let configuration: ImageConfiguration

    package init(_ json: JSON) throws(ImageError) {
        self.json = json
        platform = Platform(json)
        created = json["created"].string.flatMap(Timestamp.init)
        var layers: [ContentDigest] = []
        for item in json["rootfs"]["diff_ids"].items {
            guard let digest = ContentDigest(item.string ?? "") else {
                throw ImageError("its configuration names a layer \"\(item.string ?? "")\", which is no sha256 digest")
            }
            layers.append(digest)
        }
        self.layers = layers
        configuration = Self.configuration(json["config"])
    }

    private static func configuration(_ json: JSON) -> ImageConfiguration {
        func texts(_ name: String) -> [String] { json[name].items.compactMap(\.string) }
        var environment = texts("Env")
        // As containerd completes it.
        if !environment.contains(where: { $0.hasPrefix("PATH=") }) { environment.insert("PATH=\(ImageConfiguration.standardPath)", at: 0) }
        let directory = json["WorkingDir"].string ?? ""
        return ImageConfiguration(
            entrypoint: texts("Entrypoint"), command: texts("Cmd"), environment: environment,
            workingDirectory: directory.isEmpty ? "/" : directory.hasPrefix("/") ? directory : "/\(directory)",
            stopSignal: json["StopSignal"].string.flatMap(number(ofSignal:)) ?? Int(SIGTERM), user: json["User"].string ?? "",
            labels: (json["Labels"].object ?? JSONObject()).reduce(into: [:]) { $0[$1.0] = $1.1.string },
            volumes: (json["Volumes"].object ?? JSONObject()).map(\.0).sorted())
    }

    private static let signals: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "BUS": SIGBUS, "FPE": SIGFPE,
        "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2, "PIPE": SIGPIPE, "ALRM": SIGALRM, "TERM": SIGTERM,
        "CHLD": SIGCHLD, "CONT": SIGCONT, "STOP": SIGSTOP, "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG,
        "XCPU": SIGXCPU, "XFSZ": SIGXFSZ, "VTALRM": SIGVTALRM, "PROF": SIGPROF, "WINCH": SIGWINCH, "IO": SIGIO, "PWR": SIGPWR,
        "SYS": SIGSYS,
    ]

    /// `SIGTERM`, `TERM`, `15` or `SIGRTMIN+3`; nil for what is no signal.
    package static func number(ofSignal text: String) -> Int? {
        if let number = Int(text) { return (1...64).contains(number) ? number : nil }
        let upper = text.uppercased(), name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = signals[name] { return Int(number) }
        // glibc keeps 32 and 33 to itself.
        if name == "RTMIN" { return 34 }
        if name == "RTMAX" { return 64 }
        if name.hasPrefix("RTMIN+"), let more = Int(name.dropFirst(6)), (0...30).contains(more) { return 34 + more }
        if name.hasPrefix("RTMAX-"), let less = Int(name.dropFirst(6)), (0...30).contains(less) { return 64 - less }
        return nil
    }

    /// One step of how it was built; `layer` counts from 0, nil for a step that made none.
    package struct Step: Sendable {
        package let created: Timestamp?
        package let command: String
        package let comment: String
        package let layer: Int?
    }

    /// The lowest first.
    package var history: [Step] {
        var layer = 0
        return json["history"].items.map { item in
            let isEmpty = item["empty_layer"].bool == true
            defer { if !isEmpty { layer += 1 } }
            return Step(
                created: item["created"].string.flatMap(Timestamp.init), command: item["created_by"].string ?? "",
                comment: item["comment"].string ?? "", layer: isEmpty ? nil : layer)
        }
    }
}
