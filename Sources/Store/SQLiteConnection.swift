import CSQLite
import Glibc
import Host

/// One connection to a SQLite file. Every result code is looked at: a step that is not a row is the end only when SQLite says
/// it is done (sqlite.org/c3ref/step.html).
struct SQLiteConnection: ~Copyable {
    let path: String
    private let handle: OpaquePointer

    /// Opens a file that is there.
    init(path: String) throws {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE, nil)
        guard code == SQLITE_OK, let opened else {
            let words = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(description: "open the store \(path): \(access(path, F_OK) == 0 ? words : "it is not there")")
        }
        self.path = path
        handle = opened
    }

    /// Makes a file where none stands, its owner's alone.
    init(creating path: String) throws {
        do { _ = try Descriptor(opening: path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600) } catch {
            throw SQLiteError(description: "create the store \(path): \(String(cString: strerror(error.errno)))")
        }
        try self.init(path: path)
    }

    deinit { sqlite3_close_v2(handle) }

    func error(_ doing: String) -> SQLiteError {
        SQLiteError(description: "\(doing) in the store \(path): \(String(cString: sqlite3_errmsg(handle)))")
    }

    func execute(_ sql: String, _ doing: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error(doing) }
    }

    func releaseMemory() { sqlite3_db_release_memory(handle) }

    func rollBack() { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }

    func prepare(_ sql: String) throws -> SQLiteStatement {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else {
            throw error("prepare \(sql.prefix(40))")
        }
        return SQLiteStatement(handle: statement, path: path)
    }

    /// Calls `body` for every row; throws what SQLite or `body` does, also halfway.
    func rows(_ sql: String, _ body: (borrowing SQLiteStatement) throws -> Void) throws {
        let statement = try prepare(sql)
        while try statement.step() { try body(statement) }
    }

    func revision() throws -> Int {
        var revision: Int?
        try rows("SELECT value FROM state WHERE key='revision'") { revision = $0.number(0) }
        guard let revision else { throw SQLiteError(description: "the store \(path) does not say its revision: it is damaged") }
        return revision
    }

    /// Reads every page and holds it against its neighbours; throws when the file is damaged, or is no store.
    func check() throws {
        var complaints: [String] = []
        do { try rows("PRAGMA quick_check(3)") { complaints.append($0.text(0).replacing("\n", with: " ")) } } catch {
            complaints.append("\(error)")
        }
        guard complaints == ["ok"] else {
            throw SQLiteError(description: "the store \(path) is damaged: \(complaints.joined(separator: "; "))")
        }
        var tables: [String] = []
        try rows("SELECT name FROM sqlite_schema WHERE type='table'") { tables.append($0.text(0)) }
        guard tables.contains("objects"), tables.contains("state") else {
            throw SQLiteError(description: "the store \(path) is empty: it was cut, or put there by somebody else")
        }
    }
}

/// A prepared statement. The connection it belongs to must outlive it.
struct SQLiteStatement: ~Copyable {
    enum Parameter { case text(String), number(Int) }

    fileprivate let handle: OpaquePointer
    fileprivate let path: String

    deinit { sqlite3_finalize(handle) }

    /// True at a row, false at the end.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw failure("step")
        }
    }

    /// Binds `parameters` and runs the statement to its end; `body` gets every row.
    func run(_ parameters: Parameter..., body: (borrowing SQLiteStatement) throws -> Void = { _ in }) throws {
        // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        defer { sqlite3_reset(handle) }
        for (index, parameter) in parameters.enumerated() {
            let code =
                switch parameter {
                case .text(let text): sqlite3_bind_text(handle, Int32(index + 1), text, Int32(text.utf8.count), transient)
                case .number(let number): sqlite3_bind_int64(handle, Int32(index + 1), Int64(number))
                }
            guard code == SQLITE_OK else { throw failure("bind value \(index + 1)") }
        }
        while try step() { try body(self) }
    }

    func text(_ column: Int32) -> String { sqlite3_column_text(handle, column).map { String(cString: $0) } ?? "" }
    func number(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }

    private func failure(_ doing: String) -> SQLiteError {
        SQLiteError(description: "\(doing) in the store \(path): \(String(cString: sqlite3_errmsg(sqlite3_db_handle(handle))))")
    }
}
