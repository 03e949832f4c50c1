import CSQLite
import Model
import Synchronization

/// A failed call of SQLite, or a store that is not what it was: what was done, to which file, and SQLite's own words.
package struct SQLiteError: Error, CustomStringConvertible {
    package let description: String
}

/// The journal in one SQLite file. WAL with synchronous=NORMAL: a write survives the daemon's death; a power cut may
/// lose the last moments, never the file's consistency (sqlite.org/wal.html).
///
/// Opening reads the whole file once (`PRAGMA quick_check`) and refuses what is damaged, empty or not there: whoever starts
/// from less than there was would end what runs on the word of a store that forgot it.
package final class SQLiteJournal: Journal {
    /// SQLite's handle and its prepared statements; the mutex makes them one thread's at a time.
    private struct Database: ~Copyable {
        let connection: SQLiteConnection
        let put: SQLiteStatement
        let remove: SQLiteStatement
        let revision: SQLiteStatement
        let get: SQLiteStatement
        let all: SQLiteStatement
        let keys: SQLiteStatement
    }

    private let path: String
    private let mark: RevisionMark?
    private let database: Mutex<Database>

    /// Makes the file of a new cluster's store. What stands at `path` already is somebody's: then it fails.
    package static func create(path: String) throws {
        let connection = try SQLiteConnection(creating: path)
        try connection.execute(
            """
            PRAGMA journal_mode=WAL;
            CREATE TABLE objects (
                grp TEXT, version TEXT, plural TEXT, kind TEXT, namespaced INTEGER, namespace TEXT, name TEXT, json TEXT,
                PRIMARY KEY (grp, plural, namespace, name)) WITHOUT ROWID;
            CREATE TABLE state (key TEXT PRIMARY KEY, value INTEGER);
            INSERT INTO state VALUES ('revision', 0);
            """, "create tables")
    }

    /// Opens a store that `create` has made. `mark`: a file, gone with the machine's next start as all that runs is, in which every
    /// write leaves its revision; a store that stands before it has forgotten something.
    package init(path: String, mark markPath: String? = nil) throws {
        self.path = path
        let connection = try SQLiteConnection(path: path)
        try connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;", "set up")
        try connection.check()
        let stored = try connection.revision()
        mark = try markPath.map { try RevisionMark(path: $0) }
        if let marked = try mark?.read(), marked > stored {
            throw SQLiteError(
                description: "the store \(path) stands at revision \(stored), but \(marked) has been written: it is older than what runs")
        }
        let put = try connection.prepare("INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?,?,?)")
        let remove = try connection.prepare("DELETE FROM objects WHERE grp=? AND plural=? AND namespace=? AND name=?")
        let revision = try connection.prepare("INSERT OR REPLACE INTO state VALUES ('revision', ?)")
        let get = try connection.prepare("SELECT json FROM objects WHERE grp=? AND plural=? AND namespace=? AND name=?")
        let all = try connection.prepare("SELECT json, namespace, name FROM objects WHERE grp=? AND plural=?")
        let keys = try connection.prepare("SELECT namespace, name FROM objects WHERE grp=? AND plural=?")
        database = Mutex(Database(connection: connection, put: put, remove: remove, revision: revision, get: get, all: all, keys: keys))
    }

    /// The latest revision that a mark tells of; 0 when there is none.
    package static func marked(_ path: String) throws -> Int { try RevisionMark(path: path).read() }

    package func revision() throws -> Int { try database.withLock { try $0.connection.revision() } }

    package func load(except left: Set<Resource>) throws -> [(Resource, JSON)] {
        let left = Set(left.map { "\($0.group)/\($0.plural)" })
        var result: [(Resource, JSON)] = []
        try database.withLock { database in
            try database.connection.rows("SELECT grp, version, plural, kind, namespaced, json, namespace, name FROM objects") { row in
                let resource = Resource(row.text(0), row.text(1), row.text(2), row.text(3), namespaced: row.number(4) != 0)
                if left.contains("\(resource.group)/\(resource.plural)") { return }
                result.append((resource, try parse(row.text(5), resource, ObjectKey(row.text(6), row.text(7)))))
            }
        }
        return result
    }

    package func get(_ resource: Resource, _ key: ObjectKey) throws -> JSON? {
        let text = try database.withLock { database in
            var text: String?
            try database.get.run(.text(resource.group), .text(resource.plural), .text(key.namespace), .text(key.name)) { text = $0.text(0) }
            return text
        }
        return try text.map { try parse($0, resource, key) }
    }

    package func all(_ resource: Resource) throws -> [ObjectKey: JSON] {
        var result: [ObjectKey: JSON] = [:]
        try database.withLock { database in
            try database.all.run(.text(resource.group), .text(resource.plural)) { row in
                let key = ObjectKey(row.text(1), row.text(2))
                result[key] = try parse(row.text(0), resource, key)
            }
        }
        return result
    }

    package func keys(_ resource: Resource) throws -> [ObjectKey] {
        var result: [ObjectKey] = []
        try database.withLock { database in
            try database.keys.run(.text(resource.group), .text(resource.plural)) { result.append(ObjectKey($0.text(0), $0.text(1))) }
        }
        return result
    }

    private func parse(_ text: String, _ resource: Resource, _ key: ObjectKey) throws -> JSON {
        do { return try JSON(parsing: text) } catch {
            throw SQLiteError(description: "the store \(path): \(resource) \(key.namespace)/\(key.name) is damaged: \(error)")
        }
    }

    package func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws {
        try transaction(revision) { try Self.put(resource, key, object, $0) }
    }

    private static func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, _ database: borrowing Database) throws {
        try database.put.run(
            .text(resource.group), .text(resource.version), .text(resource.plural), .text(resource.kind),
            .number(resource.namespaced ? 1 : 0), .text(key.namespace), .text(key.name), .text(object.text()))
    }

    package func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws {
        try transaction(revision) { database in
            try database.remove.run(.text(resource.group), .text(resource.plural), .text(key.namespace), .text(key.name))
        }
    }

    /// Makes of every object what `edit` makes of it (nil: it goes), all in one transaction, for a store that no daemon has open. What
    /// changes is stamped as a write after `revision` is; returns where the store then stands, which is beyond `revision` in any case.
    @discardableResult
    package func rewrite(after revision: Int, _ edit: (Resource, JSON) throws -> JSON?) throws -> Int {
        let objects = try load(except: [])
        let first = max(revision, try self.revision())
        var last = first
        try database.withLock { database in
            try database.connection.execute("BEGIN", "begin to rewrite")
            do {
                for (resource, object) in objects {
                    let edited = try edit(resource, object)
                    if edited == object { continue }
                    last += 1
                    let key = ObjectKey(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? "")
                    if var edited {
                        edited["metadata"]["resourceVersion"] = .string(String(last))
                        try Self.put(resource, key, edited, database)
                    } else {
                        try database.remove.run(
                            .text(resource.group), .text(resource.plural), .text(key.namespace), .text(key.name))
                    }
                }
                // A watch from what was the newest does not miss that all has been looked at anew.
                if last == first { last += 1 }
                try database.revision.run(.number(last))
                try database.connection.execute("COMMIT", "end to rewrite")
            } catch {
                database.connection.rollBack()
                throw error
            }
            mark?.write(last)
        }
        return last
    }

    package func releaseMemory() { database.withLock { $0.connection.releaseMemory() } }

    private func transaction(_ revision: Int, _ body: (borrowing Database) throws -> Void) throws {
        try database.withLock { database in
            try database.connection.execute("BEGIN", "begin revision \(revision)")
            do {
                try body(database)
                try database.revision.run(.number(revision))
                try database.connection.execute("COMMIT", "write revision \(revision)")
            } catch {
                // It is the first failure that counts; after some of them SQLite has rolled back by itself.
                database.connection.rollBack()
                throw error
            }
            mark?.write(revision)
        }
    }
}
