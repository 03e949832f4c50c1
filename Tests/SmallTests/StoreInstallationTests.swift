import Host
import Model
import Store
import Testing

@Suite("The store: a copy put in its place", .timeLimit(.minutes(5)))
struct StoreInstallation {
    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let path = "/tmp/minik-install-\(UID.random())"
        try Files.makeDirectory(path)
        defer { Files.removeTree(path) }
        try await body(path)
    }

    private func newStore(_ path: String) throws -> ObjectStore {
        try SQLiteJournal.create(path: "\(path)/state.db")
        return try reopenedStore(path)
    }

    private func reopenedStore(_ path: String) throws -> ObjectStore {
        try ObjectStore(journal: try SQLiteJournal(path: "\(path)/state.db", mark: "\(path)/mark"))
    }

    private func document(_ name: String, value: Int = 0) -> JSON {
        ["metadata": ["namespace": "default", "name": .string(name)], "value": .int(value)]
    }

    private func store(_ path: String) async throws -> StoreCopy {
        do {
            let store = try newStore(path)
            for name in ["a", "b"] { _ = try await store.create(.configMaps, document(name, value: 1)) }
        }
        let copy = StoreCopy(of: "\(path)/state.db", at: "\(path)/kept.db")
        #expect(try copy.make() == 2)
        let store = try reopenedStore(path)
        _ = try await store.create(.configMaps, document("c"))
        return copy
    }

    @Test("it is as it was, edited, and its revision goes on from the last that clients have seen, so that watches of then expire")
    func installed() async throws {
        try await withDirectory { path in
            let copy = try await store(path)
            try copy.install(after: 9) { _, object in
                guard object["metadata"]["name"].string == "a" else { return object }
                var edited = object
                edited["value"] = 7
                return edited
            }
            #expect(Set(Files.list(path)) == ["state.db", "kept.db", "mark"], "no log of another store is left")
            let store = try reopenedStore(path)
            let (items, revision) = try await store.list(.configMaps)
            #expect(items.map { $0["value"] } == [7, 1] && revision == 10)
            #expect(items.map { $0["metadata"]["resourceVersion"] } == ["10", "2"])
            let error = await #expect(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 3) }
            #expect(error?.code == 410)
        }
    }

    @Test("an edit that fails leaves the store as it is")
    func failed() async throws {
        struct Failure: Error {}
        try await withDirectory { path in
            let copy = try await store(path)
            #expect(throws: Failure.self) { try copy.install(after: 9) { _, _ in throw Failure() } }
            let journal = try SQLiteJournal(path: "\(path)/state.db")
            #expect(throws: Failure.self) { try journal.rewrite(after: 0) { _, _ in throw Failure() } }
            let (items, revision) = try await reopenedStore(path).list(.configMaps)
            #expect(items.count == 3 && revision == 3)
        }
    }

    @Test("what an edit makes nothing of is gone, and the rest keeps its version")
    func removed() async throws {
        try await withDirectory { path in
            _ = try await store(path)
            let journal = try SQLiteJournal(path: "\(path)/state.db", mark: "\(path)/mark")
            #expect(try journal.rewrite(after: 0) { $1["metadata"]["name"].string == "b" ? nil : $1 } == 4)
            let (items, revision) = try await reopenedStore(path).list(.configMaps)
            #expect(items.map { $0["metadata"]["resourceVersion"] } == ["1", "3"] && revision == 4)
        }
    }
}
