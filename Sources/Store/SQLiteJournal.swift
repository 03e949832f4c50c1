import CSQLite
import Model
import Synchronization

/// A failed call of SQLite: what was done, to which file, and SQLite's own words.
package struct SQLiteError: Error, CustomStringConvertible {
    package let description: String
}

/// The journal in one SQLite file. WAL with synchronous=NORMAL: a write survives the daemon's death; a power cut may
/// lose the last moments, never the file's consistency (sqlite.org/wal.html).
package final class SQLiteJournal: Journal {
    /// SQLite's handle and its prepared statements; the mutex makes them one thread's at a time.
    private struct Database: ~Copyable {
        let handle: OpaquePointer
        let put: OpaquePointer
        let remove: OpaquePointer
        let revision: OpaquePointer

        deinit {
            for statement in [put, remove, revision] { sqlite3_finalize(statement) }
            sqlite3_close(handle)
        }
    }

    private let path: String
    private let database: Mutex<Database>

    package init(path: String) throws {
        self.path = path
        var opened: OpaquePointer?
        guard sqlite3_open(path, &opened) == SQLITE_OK, let handle = opened else {
            sqlite3_close(opened)
            throw SQLiteError(description: "open the store \(path): not a database file, or not writable")
        }
        func fail(_ doing: String) -> SQLiteError {
            let error = SQLiteError(description: "\(doing) in the store \(path): \(String(cString: sqlite3_errmsg(handle)))")
            sqlite3_close(handle)
            return error
        }
        let schema = """
            PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024;
            CREATE TABLE IF NOT EXISTS objects (
                grp TEXT, version TEXT, plural TEXT, kind TEXT, namespaced INTEGER, namespace TEXT, name TEXT, json TEXT,
                PRIMARY KEY (grp, plural, namespace, name)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER);
            """
        guard sqlite3_exec(handle, schema, nil, nil, nil) == SQLITE_OK else { throw fail("create tables") }
        func prepare(_ sql: String) throws -> OpaquePointer {
            var statement: OpaquePointer?
            guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else { throw fail("prepare a statement") }
            return statement
        }
        database = Mutex(
            Database(
                handle: handle,
                put: try prepare("INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?,?,?)"),
                remove: try prepare("DELETE FROM objects WHERE grp=? AND plural=? AND namespace=? AND name=?"),
                revision: try prepare("INSERT OR REPLACE INTO state VALUES ('revision', ?)")))
    }

    package func revision() throws -> Int {
        var result = 0
        try rows("SELECT value FROM state WHERE key='revision'") { result = Int(sqlite3_column_int64($0, 0)) }
        return result
    }

    package func load() throws -> [(Resource, JSON)] {
        var result: [(Resource, JSON)] = []
        var failure: (any Error)?
        try rows("SELECT grp, version, plural, kind, namespaced, json FROM objects") { row in
            func text(_ column: Int32) -> String { sqlite3_column_text(row, column).map { String(cString: $0) } ?? "" }
            let resource = Resource(text(0), text(1), text(2), text(3), namespaced: sqlite3_column_int(row, 4) != 0)
            do { result.append((resource, try JSON(parsing: text(5)))) } catch { failure = error }
        }
        if let failure { throw SQLiteError(description: "read the store \(path): a document is damaged: \(failure)") }
        return result
    }

    package func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws {
        try transaction(revision) { database in
            run(
                database.put,
                [
                    .text(resource.group), .text(resource.version), .text(resource.plural), .text(resource.kind),
                    .number(resource.namespaced ? 1 : 0), .text(key.namespace), .text(key.name), .text(object.text()),
                ])
        }
    }

    package func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws {
        try transaction(revision) { database in
            run(database.remove, [.text(resource.group), .text(resource.plural), .text(key.namespace), .text(key.name)])
        }
    }

    private enum Parameter { case text(String), number(Int) }

    private func transaction(_ revision: Int, _ body: (borrowing Database) -> Int32) throws {
        try database.withLock { database in
            sqlite3_exec(database.handle, "BEGIN", nil, nil, nil)
            guard body(database) == SQLITE_DONE, run(database.revision, [.number(revision)]) == SQLITE_DONE,
                sqlite3_exec(database.handle, "COMMIT", nil, nil, nil) == SQLITE_OK
            else {
                let words = String(cString: sqlite3_errmsg(database.handle))
                sqlite3_exec(database.handle, "ROLLBACK", nil, nil, nil)
                throw SQLiteError(description: "write revision \(revision) to the store \(path): \(words)")
            }
        }
    }

    private func run(_ statement: OpaquePointer, _ parameters: [Parameter]) -> Int32 {
        // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        for (index, parameter) in parameters.enumerated() {
            switch parameter {
            case .text(let text): sqlite3_bind_text(statement, Int32(index + 1), text, -1, transient)
            case .number(let number): sqlite3_bind_int64(statement, Int32(index + 1), Int64(number))
            }
        }
        defer { sqlite3_reset(statement) }
        return sqlite3_step(statement)
    }

    private func rows(_ sql: String, _ body: (OpaquePointer) -> Void) throws {
        try database.withLock { database in
            var statement: OpaquePointer?
            guard sqlite3_prepare_v2(database.handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else {
                throw SQLiteError(description: "read the store \(path): \(String(cString: sqlite3_errmsg(database.handle)))")
            }
            defer { sqlite3_finalize(statement) }
            while sqlite3_step(statement) == SQLITE_ROW { body(statement) }
        }
    }
}
