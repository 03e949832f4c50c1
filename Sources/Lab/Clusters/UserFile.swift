import API
import Glibc
import Host
import Model
import Runtime

/// A file of the user who called sudo: written whole, readable by that user alone, and that user's.
struct UserFile {
    let path: String
    private let owner: (uid: uid_t, gid: gid_t)

    /// The first file of $KUBECONFIG, or ~/.kube/config of whoever called.
    static func kubeconfig() -> UserFile {
        let caller = getenv("SUDO_UID").flatMap { uid_t(String(cString: $0)) } ?? getuid()
        let entry = getpwuid(caller)
        let owner = (caller, entry?.pointee.pw_gid ?? gid_t(caller))
        if let named = getenv("KUBECONFIG").map({ String(cString: $0) })?.split(separator: ":").first {
            return UserFile(path: String(named), owner: owner)
        }
        let isSudo = getenv("SUDO_UID") != nil
        let home = isSudo ? entry.map { String(cString: $0.pointee.pw_dir) } : getenv("HOME").map { String(cString: $0) }
        return UserFile(path: "\(home ?? entry.map { String(cString: $0.pointee.pw_dir) } ?? "/root")/.kube/config", owner: owner)
    }

    /// One that is there, whosever it is; nil when it is gone.
    init?(existing path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        self.init(path: path, owner: (info.st_uid, info.st_gid))
    }

    private init(path: String, owner: (uid_t, gid_t)) {
        self.path = path
        self.owner = owner
    }

    /// Reads the file, lets `change` make a new one of it, and writes that; nil leaves it as it is. An empty kubeconfig of
    /// nobody's goes.
    func edit(_ change: (JSON) throws -> JSON?) throws {
        let slash = path.lastIndex(of: "/")
        if let slash, slash > path.startIndex, !Files.exists(String(path[..<slash])) {
            try Files.makeDirectory(String(path[..<slash]), mode: 0o750)
            chown(String(path[..<slash]), owner.uid, owner.gid)
        }
        // kubectl takes the same lock while it writes.
        let lock = "\(path).lock"
        var waited = 0
        while true {
            do {
                _ = try Descriptor(opening: lock, O_CREAT | O_EXCL | O_WRONLY, mode: 0o600, "create")
                break
            } catch {
                guard error.errno == EEXIST else { throw error }
                guard waited < 50 else {
                    throw UserError("\(path) is locked by another program", hint: "if none runs, remove \(lock)")
                }
                usleep(100_000)
                waited += 1
            }
        }
        defer { unlink(lock) }
        let text = Files.text(path) ?? ""
        let old: JSON
        do { old = try Manifest.read(text, file: path).first?.json ?? .null } catch {
            throw UserError("\(path) is no kubeconfig: \(error)", hint: "mend it, or choose another file: KUBECONFIG=FILE minik up")
        }
        guard let new = try change(old) else { return }
        let isBare =
            ["clusters", "users", "contexts"].allSatisfy { new[$0].items.isEmpty } && new["current-context"].isNull
            && (new["preferences"].object?.isEmpty ?? true)
        if isBare {
            unlink(path)
            return
        }
        let target = realPath
        try Files.write(Array(YAMLText.of(new).utf8), to: target, mode: 0o600)
        chmod(target, 0o600)
        chown(target, owner.uid, owner.gid)
    }

    /// Through links to where the file really is.
    var realPath: String {
        realpath(path, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        } ?? path
    }
}
