import Runtime

/// What a registry, or the way to it, answered; with what a person can do.
package struct RegistryComplaint: Error, CustomStringConvertible {
    package let message: String
    /// For who pulls by a command.
    package let hint: String
    /// For who has a pod that pulls.
    package let podHint: String
    /// HTTP's, where it is told.
    private let status: Int?

    private struct Known {
        let words: [String]
        /// Of HTTP.
        var codes: [Int] = []
        let hint: String
        var podHint: String?

        func fits(_ said: String, _ status: Int?) -> Bool { words.contains { said.contains($0) } || status.map(codes.contains) ?? false }
    }

    private static let refused = Known(
        words: ["unauthorized", "authentication required", "denied"], codes: [401, 403],
        hint: "log in with docker login or podman login, or give a file of theirs with --authfile",
        podHint: "give the pod, or its service account, imagePullSecrets, or log root in: docker login")
    private static let absent = Known(
        words: ["manifest unknown", "name unknown", "not found"], codes: [404], hint: "look at the image's name and tag")
    /// What an answer that is a web page means.
    static let pageHint = "what answers there is a web page, no registry: look at the registry's address and port"
    /// Those that come first know better.
    private static let known = [
        Known(
            words: ["HTTP response to HTTPS client"], hint: "this registry speaks plain HTTP: --insecure takes that",
            podHint: "this registry speaks plain HTTP: the Cluster document's registries may say insecure: true of it"),
        Known(
            words: ["x509:", "certificate"],
            hint: "give the registry's own authority with --cacert FILE, or take any certificate with --insecure",
            podHint: "the Cluster document's registries may name its authority as caFile"),
        Known(
            words: ["Digest did not match"],
            hint: "what the registry has, or a proxy before it, is damaged: push the image again, or pull it from elsewhere"),
        Known(words: ["unexpected EOF"], hint: "the registry broke off: try again, or look at its log"),
        Known(words: ["toomanyrequests"], codes: [429], hint: "the registry wants you to wait, or to log in"),
        Known(words: ["invalid character '<'", "text/html", "<!DOCTYPE", "<html"], hint: pageHint),
        refused,
        absent,
        Known(words: [], codes: [500, 502, 503, 504], hint: "the registry is in trouble: try again later, or look at its log"),
        Known(
            words: ["no such host", "lookup "], hint: "look at the registry's name, and at this machine's DNS",
            podHint: "look at the registry's name, and at this machine's DNS; without a network: minik image load FILE"),
        Known(
            words: ["connection refused", "no route", "unreachable"],
            hint: "nothing answers there: look at the registry's address and port"),
        Known(words: ["no space left"], hint: "minik image prune --all makes room"),
    ]

    /// `text` is what skopeo wrote to its standard error.
    package init(_ text: String, code: Int32) {
        let lines = text.split(separator: "\n").map(String.init)
        // time="..." level=fatal msg="..."
        let fatal = lines.last { $0.contains("level=fatal") } ?? lines.last ?? ""
        let words = fatal.firstRange(of: "msg=\"").map { String(fatal[$0.upperBound...].dropLast()) } ?? fatal
        let said = words.isEmpty ? "skopeo ended with code \(code)" : words.replacing("\\\"", with: "\"").replacing("\\n", with: " ")
        let status = Self.status(said)
        self.status = status
        message = Self.clear(said)
        let known = Self.known.first { $0.fits(said, status) }
        hint = known?.hint ?? "try it by hand: skopeo inspect docker://NAME"
        podHint = known?.podHint ?? hint
    }

    package var description: String { message }

    /// What HTTP's code was, in one of skopeo's ways to say it.
    private static func status(_ said: String) -> Int? {
        for before in ["StatusCode: ", "status code from registry ", "HTTP status: ", "status code "] {
            guard let place = said.firstRange(of: before), let code = Int(said[place.upperBound...].prefix(3)) else { continue }
            return code
        }
        return nil
    }

    /// Without what says nothing, or what is only true of skopeo.
    private static func clear(_ said: String) -> String {
        var text = said
        if text.hasPrefix("Error parsing image name \""), let end = text.firstRange(of: "\": ") { text = String(text[end.upperBound...]) }
        if let damaged = text.wholeMatch(of: /.*Digest did not match, expected (\S+), got (\S+)/) {
            return "the content \(damaged.1) came as \(damaged.2): Digest did not match"
        }
        // A page's text is for eyes.
        if let page = ["<!DOCTYPE", "<!doctype", "<html"].compactMap({ text.firstRange(of: $0)?.lowerBound }).min() {
            text = text[..<page] + "a web page"
        }
        return text
    }

    /// As containerd tells a kubelet of it, with the registry's own reason. (core/remotes/docker, errdefs)
    func words(of reference: ImageReference) -> String {
        let meaning =
            Self.refused.fits(message, status)
            ? "pull access denied, repository does not exist or may require authorization: "
            : Self.absent.fits(message, status) ? "\(reference): not found: " : ""
        return "failed to resolve reference \"\(reference)\": \(meaning)\(message)"
    }
}
