import Glibc
import Host
import Runtime

/// Where what lies in a store.
struct StorePlaces: Sendable {
    let root: String

    /// Contents, by their digest.
    func blob(_ digest: ContentDigest) -> String { "\(root)/blobs/sha256/\(digest.hex)" }
    /// A layer's files, by the digest of its tar without compression.
    func layer(_ digest: ContentDigest) -> String { "\(root)/layers/\(digest.hex)" }
    /// Directories that an image has on top of its layers, where those say nothing of them, by its ID.
    func top(_ id: ContentDigest) -> String { "\(root)/layers/\(id.hex)" }
    /// What is known of a layer.
    func facts(_ digest: ContentDigest) -> String { "\(root)/layers/\(digest.hex).json" }
    var blobs: String { "\(root)/blobs/sha256" }
    var layers: String { "\(root)/layers" }
    /// What is half made, or to be removed: nothing in it counts.
    var staging: String { "\(root)/staging" }
    var records: String { "\(root)/images.json" }
    /// Room for one more list of names, for when the disk is full and something is to go.
    var reserve: String { "\(root)/reserve" }
    /// Held by whoever changes the store.
    var lock: String { "\(root)/images.lock" }
    /// Held while it is decided what goes; shared by pods that take an image.
    var removalLock: String { "\(root)/removal.lock" }

    /// Layers hold programs that are setuid and device files: nobody but root comes near.
    func make() throws {
        for directory in [blobs, layers, staging] { try Files.makeDirectory(directory, mode: 0o700) }
        chmod("\(root)/blobs", 0o700)
        setAside()
    }

    /// On a disk that is full already there is nothing to set aside.
    private func setAside() {
        guard !Files.exists(reserve) else { return }
        do {
            let file = try Descriptor(opening: reserve, O_WRONLY | O_CREAT, mode: 0o600)
            if posix_fallocate(file.number, 0, 256 * 1024) != 0 { unlink(reserve) }
        } catch {}  // nothing is set aside, then
    }

    /// Writes the disk's caches out, with all that lies in the store.
    func sync() throws { try Files.sync(root) }

    func move(_ source: String, to target: String) throws {
        guard rename(source, target) == 0 else { throw FileError("rename to", target, errno: errno) }
    }
}
