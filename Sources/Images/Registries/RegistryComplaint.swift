import Runtime

/// What a registry, or the way to it, answered; with what a person can do.
package struct RegistryComplaint: Error, CustomStringConvertible {
    package let message: String
    /// For who pulls by a command.
    package let hint: String
    /// For who has a pod that pulls.
    package let podHint: String

    private struct Known {
        let words: [String]
        let hint: String
        var podHint: String?
    }

    private static let refused = ["unauthorized", "authentication required", "denied", "403"]
    private static let absent = ["manifest unknown", "name unknown", "not found", "404"]
    private static let known = [
        Known(
            words: ["HTTP response to HTTPS client"], hint: "this registry speaks plain HTTP: --insecure takes that",
            podHint: "this registry speaks plain HTTP: the Cluster document's registries may say insecure: true of it"),
        Known(
            words: ["x509:", "certificate"],
            hint: "give the registry's own authority with --cacert FILE, or take any certificate with --insecure",
            podHint: "the Cluster document's registries may name its authority as caFile"),
        Known(
            words: refused,
            hint: "log in with docker login or podman login, or give a file of theirs with --authfile",
            podHint: "give the pod, or its service account, imagePullSecrets, or log root in: docker login"),
        Known(words: absent, hint: "look at the image's name and tag"),
        Known(
            words: ["invalid character '<'", "text/html"],
            hint: "what answers there is a web page, no registry: look at the registry's address and port"),
        Known(
            words: ["500 ", "502 ", "503 ", "Internal Server Error", "Service Unavailable"],
            hint: "the registry is in trouble: try again later, or look at its log"),
        Known(
            words: ["no such host", "lookup "], hint: "look at the registry's name, and at this machine's DNS",
            podHint: "look at the registry's name, and at this machine's DNS; without a network: minik image load FILE"),
        Known(
            words: ["connection refused", "no route", "unreachable"],
            hint: "nothing answers there: look at the registry's address and port"),
        Known(words: ["toomanyrequests", "429"], hint: "the registry wants you to wait, or to log in"),
        Known(words: ["no space left"], hint: "minik image prune --all makes room"),
    ]

    /// `text` is what skopeo wrote to its standard error.
    package init(_ text: String, code: Int32) {
        let lines = text.split(separator: "\n").map(String.init)
        // time="..." level=fatal msg="..."
        let fatal = lines.last { $0.contains("level=fatal") } ?? lines.last ?? ""
        let words = fatal.firstRange(of: "msg=\"").map { String(fatal[$0.upperBound...].dropLast()) } ?? fatal
        let said = words.isEmpty ? "skopeo ended with code \(code)" : words.replacing("\\\"", with: "\"").replacing("\\n", with: " ")
        message = said
        let known = Self.known.first { entry in entry.words.contains { said.contains($0) } }
        hint = known?.hint ?? "try it by hand: skopeo inspect docker://NAME"
        podHint = known?.podHint ?? hint
    }

    package var description: String { message }

    /// As containerd tells a kubelet of it, with the registry's own reason. (core/remotes/docker, errdefs)
    func words(of reference: ImageReference) -> String {
        func says(_ words: [String]) -> Bool { words.contains { message.contains($0) } }
        let meaning =
            says(Self.refused)
            ? "pull access denied, repository does not exist or may require authorization: "
            : says(Self.absent) ? "\(reference): not found: " : ""
        return "failed to resolve reference \"\(reference)\": \(meaning)\(message)"
    }
}
