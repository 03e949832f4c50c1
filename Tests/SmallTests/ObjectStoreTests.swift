import Glibc
import Host
import Model
import Runtime
import Store
import Testing

/// What a store stands on.
enum StoreBacking: String, CaseIterable, Sendable {
    case memory, sqlite
    /// A journal that the kinds of these tests are left in.
    case journal
}

private struct NoDirectory: Error {}

/// Calls `body` with a temporary directory that is gone afterwards.
private func withTemporaryDirectory(_ body: (String) async throws -> Void) async throws {
    var template = Array("/tmp/minik-store-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } }
    guard let path = made else { throw NoDirectory() }
    defer {
        for entry in Files.list(path) { unlink("\(path)/\(entry)") }
        rmdir(path)
    }
    try await body(path)
}

private func withStore(_ backing: StoreBacking, _ body: (ObjectStore) async throws -> Void) async throws {
    switch backing {
    case .memory: try await body(try ObjectStore())
    case .sqlite:
        try await withTemporaryDirectory { path in
            try await body(try newStore(path))
        }
    case .journal:
        try await withTemporaryDirectory { path in
            try await body(try newStore(path, leaving: [.configMaps, .secrets]))
        }
    }
}

/// A store of its own in `directory`.
private func newStore(_ directory: String, leaving left: Set<Resource> = [.events]) throws -> ObjectStore {
    try SQLiteJournal.create(path: "\(directory)/state.db")
    return try reopenedStore(directory, leaving: left)
}

private func reopenedStore(_ directory: String, leaving left: Set<Resource> = [.events]) throws -> ObjectStore {
    try ObjectStore(journal: try SQLiteJournal(path: "\(directory)/state.db", mark: "\(directory)/mark"), leaving: left)
}

/// A journal that takes everything and gives nothing back.
private struct UnreadableJournal: Journal {
    struct Failure: Error {}

    func revision() throws -> Int { 0 }
    func load(except: Set<Resource>) throws -> [(Resource, JSON)] { [] }
    func get(_ resource: Resource, _ key: ObjectKey) throws -> JSON? { throw Failure() }
    func all(_ resource: Resource) throws -> [ObjectKey: JSON] { throw Failure() }
    func keys(_ resource: Resource) throws -> [ObjectKey] { throw Failure() }
    func put(_ resource: Resource, _ key: ObjectKey, _ object: JSON, revision: Int) throws {}
    func remove(_ resource: Resource, _ key: ObjectKey, revision: Int) throws {}
}

private func document(_ name: String, value: Int = 0, namespace: String = "default") -> JSON {
    ["metadata": ["namespace": .string(namespace), "name": .string(name)], "value": .int(value)]
}

@Suite("The store: reading and writing", .timeLimit(.minutes(5)))
struct StoreWrites {
    @Test("an object is stored under its key with the revision of its write", arguments: StoreBacking.allCases)
    func create(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            let created = try await store.create(.configMaps, document("a", value: 7))
            let read = try await store.get(.configMaps, ObjectKey("default", "a"))
            let revision = await store.revision
            #expect(revision == 1)
            #expect(created.objectRevision == "1")
            #expect(read == created)
            #expect(read?["value"].int == 7)
            let elsewhere = try await store.get(.secrets, ObjectKey("default", "a"))
            #expect(elsewhere == nil)
        }
    }

    @Test("a key can be created once", arguments: StoreBacking.allCases)
    func createTwice(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            _ = try await store.create(.configMaps, document("a", value: 1))
            let error = try await #require(throws: StatusError.self) { _ = try await store.create(.configMaps, document("a", value: 2)) }
            #expect(error.code == 409)
            #expect(error.reason == .alreadyExists)
            let kept = try await store.get(.configMaps, ObjectKey("default", "a"))
            #expect(kept?["value"].int == 1)
            _ = try await store.create(.configMaps, document("a", namespace: "other"))
            let revision = await store.revision
            #expect(revision == 2, "the write that failed has no revision")
        }
    }

    @Test("what is not there cannot be updated or deleted", arguments: StoreBacking.allCases)
    func absent(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            let update = try await #require(throws: StatusError.self) {
                _ = try await store.update(.configMaps, document("a"), expected: nil)
            }
            let delete = try await #require(throws: StatusError.self) { _ = try await store.delete(.configMaps, ObjectKey("default", "a")) }
            #expect(update.code == 404)
            #expect(delete.code == 404)
            let revision = await store.revision
            #expect(revision == 0)
        }
    }

    @Test("a write that expects an older version is a conflict and changes nothing", arguments: StoreBacking.allCases)
    func conflict(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            let first = try await store.create(.configMaps, document("a", value: 1))
            let second = try await store.update(.configMaps, document("a", value: 2), expected: first.objectRevision)
            #expect(second.objectRevision == "2")
            let update = try await #require(throws: StatusError.self) {
                _ = try await store.update(.configMaps, document("a", value: 3), expected: first.objectRevision)
            }
            let delete = try await #require(throws: StatusError.self) {
                _ = try await store.delete(.configMaps, ObjectKey("default", "a"), expected: first.objectRevision)
            }
            #expect(update.code == 409)
            #expect(update.reason == .conflict)
            #expect(delete.reason == .conflict)
            let kept = try await store.get(.configMaps, ObjectKey("default", "a"))
            #expect(kept == second)
        }
    }

    @Test("a deleted object is gone and its key free", arguments: StoreBacking.allCases)
    func delete(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            _ = try await store.create(.configMaps, document("a", value: 1))
            let last = try await store.delete(.configMaps, ObjectKey("default", "a"))
            #expect(last["value"].int == 1)
            #expect(last.objectRevision == "2", "a deletion has a revision of its own")
            let gone = try await store.get(.configMaps, ObjectKey("default", "a"))
            #expect(gone == nil)
            let again = try await store.create(.configMaps, document("a"))
            #expect(again.objectRevision == "3")
        }
    }

    @Test("a list is in order of namespace and name and can be narrowed to a namespace", arguments: StoreBacking.allCases)
    func list(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "y")] {
                _ = try await store.create(.configMaps, document(name, namespace: namespace))
            }
            let all = try await store.list(.configMaps)
            #expect(all.items.map(\.objectName) == ["y", "z", "x"])
            #expect(all.revision == 3)
            let narrowed = try await store.list(.configMaps, namespace: "b")
            #expect(narrowed.items.map(\.objectName) == ["x"])
            #expect(try await store.count(.configMaps, namespace: "a") == 2)
            #expect(try await store.resources(in: "b") == [.configMaps])
            #expect(try await store.resources(in: "c") == [])
            _ = try await store.delete(.configMaps, ObjectKey("b", "x"))
            #expect(try await store.list(.configMaps, at: 3).map(\.objectName) == ["y", "z", "x"])
            #expect(try await store.list(.configMaps).items.map(\.objectName) == ["y", "z"])
        }
    }

    @Test("of a kind that is left in the journal nothing is in memory, and what cannot be read is not absent")
    func left() async throws {
        let store = try ObjectStore(journal: UnreadableJournal())
        _ = try await store.create(.configMaps, document("a"))
        #expect(try await store.get(.configMaps, ObjectKey("default", "a")) != nil)
        await #expect(throws: UnreadableJournal.Failure.self) { try await store.get(.events, ObjectKey("default", "a")) }
        await #expect(throws: UnreadableJournal.Failure.self) { try await store.list(.events) }
        await #expect(throws: UnreadableJournal.Failure.self) { try await store.create(.events, document("a")) }
        await #expect(throws: UnreadableJournal.Failure.self) { try await store.resources(in: "default") }
    }

    @Test("what was left in the journal is there after a restart")
    func leftBehind() async throws {
        try await withTemporaryDirectory { path in
            do {
                let store = try newStore(path)
                _ = try await store.create(.events, document("a", value: 1))
                _ = try await store.create(.configMaps, document("b"))
            }
            let store = try reopenedStore(path)
            #expect(try await store.get(.events, ObjectKey("default", "a"))?["value"].int == 1)
        }
    }
}

@Suite("The store: watching", .timeLimit(.minutes(5)))
struct StoreWatches {
    @Test("a watcher sees every write of its resource, once and in order", arguments: StoreBacking.allCases)
    func order(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            let watch = try await store.watch(.configMaps, namespace: nil, from: 0)
            _ = try await store.create(.configMaps, document("a", value: 1))
            _ = try await store.create(.secrets, document("a"))
            _ = try await store.update(.configMaps, document("a", value: 2), expected: nil)
            _ = try await store.create(.configMaps, document("b"))
            _ = try await store.delete(.configMaps, ObjectKey("default", "a"))
            let events = try await take(4, from: watch)
            #expect(events.map(\.kind) == [.added, .modified, .added, .deleted])
            #expect(events.map(\.object.objectName) == ["a", "a", "b", "a"])
            #expect(events.map(\.object.objectRevision) == ["1", "3", "4", "5"])
            #expect(events.last?.object["value"].int == 2, "a deletion tells what was deleted")
        }
    }

    @Test("the newest write of a resource, deletions among them, is known; none is older than the start", arguments: StoreBacking.allCases)
    func latest(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            #expect(await store.latest(.configMaps) == 0)
            _ = try await store.create(.configMaps, document("a"))
            _ = try await store.create(.secrets, document("a"))
            #expect(await store.latest(.configMaps) == 1)
            _ = try await store.delete(.configMaps, ObjectKey("default", "a"))
            #expect(await store.latest(.configMaps) == 3)
            #expect(await store.latest(.secrets) == 2)
        }
        try await withTemporaryDirectory { path in
            _ = try await newStore(path).create(.configMaps, document("a"))
            let again = try reopenedStore(path)
            for kind in [Resource.configMaps, .secrets] { #expect(await again.latest(kind) == 1) }
        }
    }

    @Test("a watch from nowhere starts with what there is", arguments: StoreBacking.allCases)
    func initial(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            for name in ["b", "a"] { _ = try await store.create(.configMaps, document(name)) }
            let watch = try await store.watch(.configMaps, namespace: nil, from: nil)
            _ = try await store.update(.configMaps, document("a", value: 1), expected: nil)
            let events = try await take(3, from: watch)
            #expect(events.map(\.kind) == [.added, .added, .modified])
            #expect(events.map(\.object.objectName) == ["a", "b", "a"])
        }
    }

    @Test("a watch resumes behind the revision it names", arguments: StoreBacking.allCases)
    func resume(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            for value in 1...5 {
                if value == 1 {
                    _ = try await store.create(.configMaps, document("a", value: 1))
                } else {
                    _ = try await store.update(.configMaps, document("a", value: value), expected: nil)
                }
            }
            let watch = try await store.watch(.configMaps, namespace: nil, from: 3)
            _ = try await store.update(.configMaps, document("a", value: 6), expected: nil)
            let events = try await take(3, from: watch)
            #expect(events.map(\.object["value"].int) == [4, 5, 6])
        }
    }

    @Test("a write that changes nothing wakes no watcher", arguments: StoreBacking.allCases)
    func nothing(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            let first = try await store.create(.configMaps, document("a", value: 1))
            let watch = try await store.watch(.configMaps, namespace: nil, from: 1)
            let same = try await store.update(.configMaps, document("a", value: 1), expected: nil)
            #expect(same == first)
            _ = try await store.create(.configMaps, document("last"))
            let events = try await take(1, from: watch)
            #expect(events.map(\.object.objectName) == ["last"])
            #expect(events.map(\.object.objectRevision) == ["2"])
        }
    }

    @Test("a watch of one namespace does not see the others", arguments: StoreBacking.allCases)
    func namespaced(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            _ = try await store.create(.configMaps, document("early", namespace: "other"))
            let watch = try await store.watch(.configMaps, namespace: "mine", from: nil)
            _ = try await store.create(.configMaps, document("late", namespace: "other"))
            _ = try await store.create(.configMaps, document("own", namespace: "mine"))
            let events = try await take(1, from: watch)
            #expect(events.map(\.object.objectName) == ["own"])
        }
    }

    @Test("a revision older than the history kept is Expired, the newest never", arguments: StoreBacking.allCases)
    func expired(_ backing: StoreBacking) async throws {
        try await withStore(backing) { store in
            _ = try await store.create(.configMaps, document("a"))
            for value in 1...9000 { _ = try await store.update(.configMaps, document("a", value: value), expected: nil) }
            let error = try await #require(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 1) }
            #expect(error.code == 410)
            #expect(error.reason == .expired)
            let watch = try await store.watch(.configMaps, namespace: nil, from: 9000)
            let events = try await take(1, from: watch)
            #expect(events.map(\.object["value"].int) == [9000])
        }
    }
}

@Suite("The store: what watchers cost", .timeLimit(.minutes(5)))
struct StoreHistory {
    private func large(_ name: String, _ value: Int) -> JSON {
        var object = document(name, value: value)
        object["data"] = .string(String(repeating: "x", count: 10_000))
        return object
    }

    @Test("what has happened is kept in so many bytes, and a watcher that falls behind them is told so")
    func bytes() async throws {
        let store = try ObjectStore(history: History.Limits(events: 4096, bytes: 200_000))
        _ = try await store.create(.configMaps, large("a", 0))
        let slow = try await store.watch(.configMaps, namespace: nil, from: 1),
            quick = try await store.watch(.configMaps, namespace: nil, from: 1)
        for value in 1...5 { _ = try await store.update(.configMaps, large("a", value), expected: nil) }
        #expect(try await take(5, from: quick).map { $0.object["value"].int } == [1, 2, 3, 4, 5])
        for value in 6...40 { _ = try await store.update(.configMaps, large("a", value), expected: nil) }
        let error = try await #require(throws: StatusError.self) { _ = try await take(40, from: slow) }
        #expect(error.code == 410)
        await #expect(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 2) }
        let late = try await store.watch(.configMaps, namespace: nil, from: 38)
        #expect(try await take(2, from: late).map { $0.object["value"].int } == [38, 39])
    }

    @Test("what happened long ago is let go, the newest of it stays, and who waits misses nothing")
    func forgetting() async throws {
        let store = try ObjectStore()
        _ = try await store.create(.configMaps, document("a"))
        let watch = try await store.watch(.deployments, namespace: nil, from: nil)
        let waiting = Task { try await take(1, from: watch) }
        while await store.idleWatchers == 0 { try await Task.sleep(for: .milliseconds(5)) }
        for value in 2...2000 { _ = try await store.update(.configMaps, document("a", value: value), expected: nil) }
        await store.forgetHistory()
        #expect(
            try await take(1, from: store.watch(.configMaps, namespace: nil, from: 1)).map { $0.object["value"].int } == [2],
            "it has not been there long")
        await store.forgetHistory()
        await #expect(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 1899) }
        #expect(try await take(100, from: store.watch(.configMaps, namespace: nil, from: 1900)).count == 100)
        _ = try await store.create(.deployments, document("d"))
        #expect(try await waiting.value.count == 1)
    }

    @Test("of what is large less stays than of what is small")
    func forgettingWhatIsLarge() async throws {
        let store = try ObjectStore()
        _ = try await store.create(.configMaps, document("a"))
        for value in 2...200 { _ = try await store.update(.configMaps, large("a", value), expected: nil) }
        for _ in 0..<2 { await store.forgetHistory() }
        await #expect(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 150) }
        #expect(try await take(1, from: store.watch(.configMaps, namespace: nil, from: 199)).map { $0.object["value"].int } == [200])
    }

    @Test("a watcher that waits misses nothing, however much happens that is not for it")
    func quiet() async throws {
        let store = try ObjectStore(history: History.Limits(events: 10, bytes: 1 << 20))
        let watch = try await store.watch(.deployments, namespace: nil, from: nil, bookmarks: true)
        let waiting = Task { try await take(2, from: watch) }
        while await store.idleWatchers == 0 { try await Task.sleep(for: .milliseconds(5)) }
        for value in 1...100 {
            _ =
                value == 1
                ? try await store.create(.configMaps, document("a"))
                : try await store.update(.configMaps, document("a", value: value), expected: nil)
        }
        _ = try await store.create(.deployments, document("d"))
        await store.markRevision()
        let events = try await waiting.value
        #expect(events.map(\.kind) == [.added, .bookmark])
        #expect(events.last?.object["metadata"]["resourceVersion"].string == "101")
    }

    @Test("a reader that is cancelled while it waits is let go")
    func cancelled() async throws {
        let store = try ObjectStore()
        let watch = try await store.watch(.deployments, namespace: nil, from: nil)
        let waiting = Task { try await watch.first { _ in true } }
        while await store.idleWatchers == 0 { try await Task.sleep(for: .milliseconds(5)) }
        waiting.cancel()
        #expect(try await waiting.value == nil)
    }

    @Test("events come in order while writers and readers run together")
    func together() async throws {
        let store = try ObjectStore()
        let watches = try await (0..<8).asyncMap { _ in try await store.watch(.configMaps, namespace: nil, from: nil) }
        try await withThrowingTaskGroup(of: [Int].self) { group in
            for watch in watches { group.addTask { try await take(500, from: watch).compactMap { Int($0.object.objectRevision) } } }
            for number in 0..<500 { _ = try await store.create(.configMaps, document("c\(number)")) }
            for try await revisions in group { #expect(revisions == Array(1...500)) }
        }
    }
}

extension Sequence {
    fileprivate func asyncMap<R>(_ change: (Element) async throws -> R) async rethrows -> [R] {
        var all: [R] = []
        for element in self { all.append(try await change(element)) }
        return all
    }
}

@Suite("The store: opening again", .timeLimit(.minutes(5)))
struct StoreReopening {
    @Test("a reopened store holds the same objects at the same revision")
    func reopen() async throws {
        try await withTemporaryDirectory { path in
            let before: [JSON]
            do {
                let store = try newStore(path)
                _ = try await store.create(.configMaps, document("kept", value: 1))
                _ = try await store.create(.configMaps, document("gone"))
                _ = try await store.create(.deployments, document("kept", value: 3))
                _ = try await store.update(.configMaps, document("kept", value: 2), expected: nil)
                _ = try await store.delete(.configMaps, ObjectKey("default", "gone"))
                before = try await store.list(.configMaps).items
            }
            let store = try reopenedStore(path)
            let after = try await store.list(.configMaps)
            #expect(after.revision == 5)
            #expect(after.items == before)
            #expect(after.items.map { $0["value"].int } == [2])
            let deployment = try await store.get(.deployments, ObjectKey("default", "kept"))
            #expect(deployment?["value"].int == 3)
            let next = try await store.create(.configMaps, document("new"))
            #expect(next.objectRevision == "6")
        }
    }

    @Test("a watch across a reopening is Expired, unless it missed nothing")
    func watch() async throws {
        try await withTemporaryDirectory { path in
            do {
                let store = try newStore(path)
                for name in ["a", "b"] { _ = try await store.create(.configMaps, document(name)) }
            }
            let store = try reopenedStore(path)
            let error = try await #require(throws: StatusError.self) { _ = try await store.watch(.configMaps, namespace: nil, from: 1) }
            #expect(error.reason == .expired)
            let watch = try await store.watch(.configMaps, namespace: nil, from: 2)
            _ = try await store.create(.configMaps, document("c"))
            let events = try await take(1, from: watch)
            #expect(events.map(\.object.objectName) == ["c"])
        }
    }

    @Test("a journal that cannot be opened says which file")
    func unopenable() async throws {
        try await withTemporaryDirectory { path in
            let error = try #require(throws: SQLiteError.self) { _ = try SQLiteJournal(path: "\(path)/missing/state.db") }
            #expect(error.description.contains("\(path)/missing/state.db"))
        }
    }
}

@Suite("The store: damage, loss and copies", .timeLimit(.minutes(5)))
struct StoreDamage {
    /// A store of many pages in `path`, closed, with its log of writes in the file.
    private func fill(_ path: String, from first: Int = 0, _ count: Int = 300) async throws {
        let store = first == 0 ? try newStore(path) : try reopenedStore(path)
        for number in first..<first + count {
            var object = document("c\(number)")
            object["data"] = .string(String(repeating: "x", count: 200))
            _ = try await store.create(.configMaps, object)
        }
    }

    private func refusal(_ path: String) throws -> String {
        try #require(throws: SQLiteError.self) { _ = try reopenedStore(path) }.description
    }

    private func overwrite(_ file: String, at offset: Int, _ bytes: [UInt8]) throws {
        let fd = open(file, O_WRONLY)
        try #require(fd >= 0)
        defer { close(fd) }
        #expect(pwrite(fd, bytes, bytes.count, offset) == bytes.count)
    }

    @Test("a damaged page is refused, wherever it lies: never the end of the table", arguments: [1, 3, 7, 12])
    func damagedPage(_ page: Int) async throws {
        try await withTemporaryDirectory { path in
            try await fill(path)
            try overwrite("\(path)/state.db", at: page * 4096, [UInt8](repeating: 0x5A, count: 4096))
            #expect(try refusal(path).contains("the store \(path)/state.db is damaged"))
        }
    }

    @Test("a document that is damaged inside its page is named")
    func damagedDocument() async throws {
        try await withTemporaryDirectory { path in
            try await fill(path, 3)
            let bytes = try Files.read("\(path)/state.db")
            let text = Array(#""data":"xxx"#.utf8)
            let found = (0..<bytes.count - text.count).first { Array(bytes[$0..<$0 + text.count]) == text }
            let offset = try #require(found)
            try overwrite("\(path)/state.db", at: offset, Array("#".utf8))
            let words = try refusal(path)
            #expect(words.contains("configmaps default/c") && words.contains("is damaged"), "\(words)")
        }
    }

    @Test("a file that is cut, empty or gone is refused, and nothing is put in its place", arguments: [nil, 0, 100, 4096, 20000] as [Int?])
    func cut(_ length: Int?) async throws {
        try await withTemporaryDirectory { path in
            try await fill(path)
            if let length { truncate("\(path)/state.db", length) } else { unlink("\(path)/state.db") }
            #expect(try refusal(path).contains("\(path)/state.db"))
            #expect(Files.exists("\(path)/state.db") == (length != nil))
        }
    }

    @Test("a store older than what has been written since the machine began is refused; without the mark it is the store")
    func older() async throws {
        try await withTemporaryDirectory { path in
            try await fill(path, 5)
            let before = try Files.read("\(path)/state.db")
            try await fill(path, from: 5, 5)
            try Files.write(before, to: "\(path)/state.db")
            #expect(try refusal(path).contains("stands at revision 5, but 10 has been written"))
            unlink("\(path)/mark")
            let revision = try await reopenedStore(path).revision
            #expect(revision == 5)
        }
    }

    @Test("a copy is made while writes go on, and takes the place of a store that is refused, further on than any write was")
    func copies() async throws {
        try await withTemporaryDirectory { path in
            let copy = StoreCopy(of: "\(path)/state.db")
            do {
                let store = try newStore(path)
                _ = try await store.create(.configMaps, document("a", value: 1))
                #expect(try copy.revision() == nil)
                #expect(try copy.make() == 1)
                _ = try await store.create(.configMaps, document("b"))
                #expect(try copy.revision() == 1)
                #expect(try copy.make() == 2)
                _ = try await store.create(.configMaps, document("late"))
            }
            truncate("\(path)/state.db", 0)
            _ = try refusal(path)
            #expect(throws: SQLiteError.self) { try copy.make() }
            #expect(try copy.revision() == 2, "a damaged store never takes the copy's place")
            try copy.restore(from: 3)
            let store = try reopenedStore(path)
            let (items, revision) = try await store.list(.configMaps)
            #expect(items.map(\.objectName) == ["a", "b"])
            #expect(revision == 3)
            #expect(Files.exists("\(path)/state.db.damaged"))
        }
    }

    @Test("a store is not made where one stands")
    func createTwice() async throws {
        try await withTemporaryDirectory { path in
            try await fill(path, 3)
            let error = try #require(throws: SQLiteError.self) { try SQLiteJournal.create(path: "\(path)/state.db") }
            #expect(error.description.contains("File exists"))
            let items = try await reopenedStore(path).list(.configMaps).items
            #expect(items.count == 3)
        }
    }
}
