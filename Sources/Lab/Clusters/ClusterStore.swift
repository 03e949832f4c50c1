import Glibc
import Host
import Model
import Runtime
import Store

/// One cluster's store on disk: opened only when it is whole, copied while it is written to, restored from its copy when asked.
package struct ClusterStore {
    let paths: ClusterPaths
    private var copy: StoreCopy { StoreCopy(of: paths.store) }

    package init(paths: ClusterPaths) { self.paths = paths }

    /// Makes the store of a cluster that is new.
    package func create() throws {
        guard !Files.exists(paths.store) else {
            throw UserError(
                "\(paths.store) stands, but \(paths.clusterFile) does not: half a cluster \"\(paths.cluster)\"",
                hint: "remove what is left of it with: minik down \(paths.cluster)")
        }
        try SQLiteJournal.create(path: paths.store)
    }

    /// Removes the store, its copy and its mark; nothing there is no error. No daemon may have it open.
    package func discard() throws {
        let files = [paths.store, copy.path].flatMap { path in ["", "-wal", "-shm"].map { path + $0 } }
        for path in files + [paths.storeMark] {
            guard unlink(path) == 0 || errno == ENOENT else { throw FileError("remove", path, errno: errno) }
        }
    }

    /// Opens the store, and keeps a copy of what an earlier daemon left before anything is written.
    /// Refuses a store that is damaged or that knows less than it did: what runs goes on until somebody decides.
    package func open() async throws -> ObjectStore {
        do {
            let store = try ObjectStore(journal: SQLiteJournal(path: paths.store, mark: paths.storeMark))
            if await store.revision > 0 { try copy.make() }
            return store
        } catch let error as SQLiteError { throw Refused(reason: error.description, remedy: remedy, cluster: paths.cluster) }
    }

    /// Copies the store after half a minute, and then whenever it has moved on in five, until cancelled.
    package func copy(_ store: ObjectStore, report: @Sendable (String) -> Void) async throws {
        let copy = copy
        var copied = 0, pause = Duration.seconds(30)
        while true {
            try await Task.sleep(for: pause)
            pause = .seconds(300)
            guard await store.revision != copied else { continue }
            do { copied = try await SmallProgram.blocking { try copy.make() } } catch let error as SQLiteError {
                report("the store is not copied, the last good copy stays: \(error)")
            }
        }
    }

    /// Puts the last good copy in the place of a store that is refused. Returns the revision it holds.
    package func restore() throws -> Int {
        guard ProcessIdentity(file: paths.daemonPID) == nil else {
            throw UserError(
                "the daemon of cluster \"\(paths.cluster)\" runs and its store is whole",
                hint: "leave --restore out; it is for a store that the daemon refuses")
        }
        guard let revision = try copy.revision() else {
            throw UserError("there is no copy \(copy.path) to restore", hint: "start anew: minik down \(paths.cluster), then minik up FILE")
        }
        // Clients have seen versions up to the mark: none of them may come again with another meaning.
        try copy.restore(from: try SQLiteJournal.marked(paths.storeMark) + 1)
        return revision
    }

    /// Puts another copy, edited, in the place of a store that no daemon has open.
    func install(_ copy: StoreCopy, _ edit: (Resource, JSON) throws -> JSON?) throws {
        // The mark is gone after a start of the machine; a store that cannot be read has no number to go on from.
        var standing = try SQLiteJournal.marked(paths.storeMark)
        do { standing = max(standing, try SQLiteJournal(path: paths.store).revision()) } catch is SQLiteError {}
        try copy.install(after: standing, edit)
    }

    /// Edits the store, which no daemon has open, where it lies.
    func rewrite(_ edit: (Resource, JSON) throws -> JSON?) throws {
        try SQLiteJournal(path: paths.store, mark: paths.storeMark).rewrite(after: try SQLiteJournal.marked(paths.storeMark), edit)
    }

    private var remedy: String {
        do {
            guard let revision = try copy.revision() else {
                return "there is no copy of it yet: minik down \(paths.cluster), then minik up FILE, starts anew"
            }
            return
                "its last good copy, \(copy.path), holds revision \(revision): minik up --cluster \(paths.cluster) --restore puts it in place"
        } catch { return "its copy is of no use either (\(error)): minik down \(paths.cluster), then minik up FILE, starts anew" }
    }

    /// Why the daemon does not start. In one line: it travels as a status.
    package struct Refused: Error, CustomStringConvertible {
        package let reason: String
        package let remedy: String
        package let cluster: String
        package var description: String {
            "\(reason). Nothing was changed, and pods, Services and policies go on as they are. Hint: \(remedy)"
        }
    }
}
