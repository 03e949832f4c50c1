import Glibc
import Host
import Model
import Runtime

/// An image that a Docker, Podman or containerd on this machine has.
package struct ForeignImage: Sendable, Hashable {
    package enum Owner: String, CaseIterable, Sendable {
        case docker, podman, containerd

        /// The program that speaks with it.
        fileprivate var program: String { self == .containerd ? "ctr" : rawValue }
        fileprivate var list: String { self == .containerd ? "ctr -n k8s.io images ls" : "\(rawValue) image ls" }
    }

    package let owner: Owner
    package let name: String

    /// `docker:app:dev`, `podman:app`, `containerd:ghcr.io/x/y:1`; nil for what is none of them.
    package init?(_ text: String) {
        let sides = text.split(separator: ":", maxSplits: 1).map(String.init)
        // What begins with a dash would be an option of theirs.
        guard sides.count == 2, let owner = Owner(rawValue: sides[0]), !sides[1].hasPrefix("-") else { return nil }
        (self.owner, name) = (owner, sides[1])
    }

    /// The command that writes it to its standard output, as an archive.
    func export() throws -> StreamingProgram {
        let program = owner.program
        let places = ["/usr/bin", "/usr/local/bin", "/snap/bin"].map { (place: String) -> String in "\(place)/\(program)" }
        guard let path = places.first(where: { access($0, X_OK) == 0 })
        else {
            throw ImageError(
                "there is no \(program) on this machine, which would hand over \(owner)'s image \(name)",
                hint: "save the image where it is, and load the file: minik image load FILE")
        }
        switch owner {
        case .docker:
            return StreamingProgram(
                argv: [path, "save", name],
                environment: StreamingProgram.environment(["DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT"]))
        case .podman: return podman(path)
        case .containerd: return try containerd(path)
        }
    }

    /// What an export ended with, for people.
    func explained(_ complaint: StreamingProgram.Complaint) -> ImageError {
        let words = complaint.words.lowercased()
        if ["cannot connect", "daemon running", "failed to dial", "connection refused", "cannot access containerd"].contains(
            where: words.contains)
        {
            return ImageError(
                "\(owner) does not answer: \(complaint.last)",
                hint: owner == .podman ? nil : "start it: systemctl start \(owner)")
        }
        if ["no such image", "not known", "does not exist", "not found", "invalid reference"].contains(where: words.contains) {
            return ImageError("\(owner) has no image \"\(name)\": \(complaint.last)", hint: "\(owner.list) shows what it has")
        }
        return ImageError("\(owner) does not hand over its image \"\(name)\": \(complaint.last)", hint: "look at \(owner.list)")
    }

    // MARK: podman

    /// Who calls us by sudo builds without root, mostly: what is theirs comes first.
    private func podman(_ path: String) -> StreamingProgram {
        let save = ["save", "--quiet", "--format", "docker-archive", name]
        let own = StreamingProgram(argv: [path] + save)
        guard let caller = getenv("SUDO_USER").map({ String(cString: $0) }), caller != "root", let entry = getpwnam(caller) else {
            return own
        }
        let runtime = "/run/user/\(entry.pointee.pw_uid)", home = String(cString: entry.pointee.pw_dir)
        let environment =
            ["PATH=\(ImageConfiguration.standardPath)", "HOME=\(home)", "USER=\(caller)", "LOGNAME=\(caller)"]
            + (Files.exists(runtime) ? ["XDG_RUNTIME_DIR=\(runtime)"] : [])
        func theirs(_ arguments: [String]) -> StreamingProgram {
            StreamingProgram(
                argv: ["/usr/sbin/runuser", "-u", caller, "--", "/usr/bin/env", "-C", home, path] + arguments, environment: environment)
        }
        do { _ = try theirs(["image", "exists", name]).text() } catch { return own }
        return theirs(save)
    }

    // MARK: containerd

    /// Its images lie in namespaces: a kubelet's, nerdctl's, docker's, anybody's.
    private func containerd(_ path: String) throws -> StreamingProgram {
        guard let reference = ImageReference(name) else {
            throw ImageError("\"\(name)\" is no name for an image", hint: "write REGISTRY/NAME:TAG")
        }
        let whole = reference.description, socket = "/run/containerd/containerd.sock"
        // ctr would wait ten seconds for it.
        if getenv("CONTAINERD_ADDRESS") == nil, !Files.exists(socket) {
            throw ImageError("containerd does not answer: there is no \(socket)", hint: "start it: systemctl start containerd")
        }
        let spaces = try StreamingProgram(argv: [path, "namespaces", "ls", "-q"]).text().split(separator: "\n").map(String.init)
        let usual = ["k8s.io", "default", "moby"]
        for space in usual.filter(spaces.contains) + spaces.filter({ !usual.contains($0) }) {
            let found = try StreamingProgram(argv: [path, "-n", space, "images", "ls", "-q", "name==\(whole)"]).text()
            if found.split(separator: "\n").contains(whole[...]) {
                return StreamingProgram(argv: [path, "-n", space, "images", "export", "-", whole])
            }
        }
        throw ImageError(
            "containerd has no image \"\(whole)\" in any of its namespaces (\(spaces.sorted().joined(separator: ", ")))",
            hint: "\(owner.list) shows what a kubelet's has")
    }
}

extension ImageStore {
    /// Takes an image over from another store of this machine.
    @discardableResult
    package func load(
        _ image: ForeignImage, names: [ImageReference] = [], progress: @escaping (String) -> Void = { _ in }
    ) throws -> [ImageRecord] {
        let title = "what \(image.owner) saved of \(image.name)"
        do {
            progress("asking \(image.owner)")
            let kept = try image.export().read { try KeptStream($0, name: title, in: places) }
            return try load(try TarArchive(kept.path, name: title), names: names, progress: progress)
        } catch let complaint as StreamingProgram.Complaint { throw image.explained(complaint) }
    }
}
