import Host
import Model
import Runtime

/// What is known of a layer that was unpacked: the blob it came from, and what it came to.
struct LayerFacts: Sendable, Hashable {
    let blob: ContentDescriptor
    let bytes: Int
    let entries: Int
    /// Directories that it has something in and no entry for.
    let implied: Int

    init(blob: ContentDescriptor, bytes: Int, entries: Int, implied: Int) {
        self.implied = implied
        self.blob = blob
        self.bytes = bytes
        self.entries = entries
    }

    /// nil when nothing, or nothing that can be read, lies at `path`.
    init?(_ path: String) {
        guard let text = Files.text(path), let json = try? JSON(parsing: text), let blob = try? ContentDescriptor(json["blob"]),
            let bytes = json["bytes"].int, let entries = json["entries"].int
        else { return nil }
        self.init(blob: blob, bytes: bytes, entries: entries, implied: json["implied"].int ?? 0)
    }

    var json: JSON { ["blob": blob.json, "bytes": .int(bytes), "entries": .int(entries), "implied": .int(implied)] }
}
