import Glibc
import Host
import Model

/// A copy of a store, whole at any time: the last good one, a file beside it, or one in a place of its own.
package struct StoreCopy: Sendable {
    package let store: String
    package let path: String

    package init(of store: String, at path: String? = nil) { (self.store, self.path) = (store, path ?? "\(store).copy") }

    /// Copies the store as it stands at one moment, while others write to it (VACUUM INTO reads every page, so that a damaged
    /// store never takes the good copy's place). Returns the revision the copy holds.
    @discardableResult
    package func make() throws -> Int {
        let new = "\(path).new"
        try remove(new)
        let revision = try {
            let connection = try SQLiteConnection(path: store)
            try connection.execute("VACUUM INTO '\(new.replacing("'", with: "''"))'", "copy to \(new)")
            return try Self.check(new)
        }()
        try sync(new)
        guard rename(new, path) == 0 else { throw failure("rename to \(path)") }
        return revision
    }

    /// The revision that the copy holds; nil when there is no copy. Throws when it is damaged.
    package func revision() throws -> Int? {
        access(path, F_OK) == 0 ? try Self.check(path) : nil
    }

    /// Puts the copy in the store's place; what stood there is kept as `STORE.damaged`. The store goes on from `revision` at
    /// least, so that versions that clients have seen do not come again.
    package func restore(from revision: Int) throws {
        guard let copied = try self.revision() else {
            throw SQLiteError(description: "restore the store \(store): there is no copy \(path)")
        }
        // The log of writes belongs to the damaged file, not to the copy.
        for suffix in ["", "-wal", "-shm"] where access(store + suffix, F_OK) == 0 {
            guard rename(store + suffix, "\(store).damaged\(suffix)") == 0 else { throw failure("set aside \(store)\(suffix)") }
        }
        let new = "\(store).new"
        try remove(new)
        do {
            let connection = try SQLiteConnection(path: path)
            try connection.execute("VACUUM INTO '\(new.replacing("'", with: "''"))'", "copy to \(new)")
        }
        do {
            let connection = try SQLiteConnection(path: new)
            try connection.execute("UPDATE state SET value=\(max(copied, revision)) WHERE key='revision'", "move the revision on")
        }
        try sync(new)
        guard rename(new, store) == 0 else { throw failure("put \(new) in the place of \(store)") }
    }

    /// All that the copy holds. Throws when any of it is damaged.
    package func contents() throws -> [(Resource, JSON)] {
        guard access(path, F_OK) == 0 else { throw SQLiteError(description: "the store \(path) is not there") }
        // A file that nobody writes to needs no log of writes, and gets none.
        let connection = try SQLiteConnection(path: path)
        try connection.check()
        var objects: [(Resource, JSON)] = []
        try connection.rows("SELECT grp, version, plural, kind, namespaced, json FROM objects") { row in
            let resource = Resource(row.text(0), row.text(1), row.text(2), row.text(3), namespaced: row.number(4) != 0)
            do { objects.append((resource, try JSON(parsing: row.text(5)))) } catch {
                throw SQLiteError(description: "the store \(path): one of its \(resource) is damaged: \(error)")
            }
        }
        return objects
    }

    /// Puts the copy in the place of a store that no daemon has open, with every object as `edit` makes it (`SQLiteJournal.rewrite`),
    /// all at once: until the last step what was there is untouched. What was there goes.
    package func install(after revision: Int, _ edit: (Resource, JSON) throws -> JSON?) throws {
        let new = "\(store).new"
        for suffix in ["", "-wal", "-shm"] { try remove(new + suffix) }
        do {
            let connection = try SQLiteConnection(path: path)
            try connection.execute("VACUUM INTO '\(new.replacing("'", with: "''"))'", "copy to \(new)")
        }
        do { try SQLiteJournal(path: new).rewrite(after: revision, edit) }
        try sync(new)
        try emptyLog()
        guard rename(new, store) == 0 else { throw failure("put \(new) in the place of \(store)") }
    }

    /// The store's log of writes belongs to what stands there, and to nothing that comes in its place.
    private func emptyLog() throws {
        // Whoever closes a store last takes its log in and away. One that is damaged does not open, and its log is worth nothing.
        do { try SQLiteConnection(path: store).execute("PRAGMA wal_checkpoint(TRUNCATE)", "take in the log") } catch is SQLiteError {}
        for suffix in ["-wal", "-shm"] { try remove(store + suffix) }
    }

    private static func check(_ path: String) throws -> Int {
        let connection = try SQLiteConnection(path: path)
        try connection.check()
        return try connection.revision()
    }

    private func remove(_ file: String) throws {
        guard unlink(file) == 0 || errno == ENOENT else { throw failure("remove \(file)") }
    }

    private func sync(_ file: String) throws {
        let opened: Descriptor
        do { opened = try Descriptor(opening: file, O_RDONLY) } catch { throw SQLiteError(description: "\(error)") }
        // It holds Secrets, as the store does.
        guard fchmod(opened.number, 0o600) == 0 else { throw failure("make \(file) its owner's alone") }
        guard fsync(opened.number) == 0 else { throw failure("sync \(file)") }
    }

    private func failure(_ doing: String) -> SQLiteError { SQLiteError(description: "\(doing): \(String(cString: strerror(errno)))") }
}
