import Host
import Runtime
import Synchronization
import Testing

/// A process' table of descriptors with so many places.
private final class DescriptorTable: Sendable {
    private let state: Mutex<(room: Int, open: Set<Int32>)>
    init(room: Int) { state = Mutex((room: room, open: [])) }

    var open: Set<Int32> { state.withLock { $0.open } }
    func make(room: Int) { state.withLock { $0.room = room } }

    /// The lowest that is free; -1 when the table is full.
    func take() -> Int32 {
        state.withLock { state in
            guard state.open.count < state.room, let free = (0..<Int32(state.room)).first(where: { !state.open.contains($0) }) else {
                return -1
            }
            state.open.insert(free)
            return free
        }
    }

    func close(_ descriptor: Int32) { state.withLock { #expect($0.open.remove(descriptor) != nil, "\(descriptor) is not open") } }
    var spare: SpareDescriptor { SpareDescriptor(open: { self.take() }, close: { self.close($0) }) }
}

@Suite("A descriptor held back")
struct SpareDescriptorTests {
    private struct Failed: Error {}

    @Test("in a full table there is room for one, as often as it is asked for, and it is held again after each")
    func lent() throws {
        let table = DescriptorTable(room: 2), spare = table.spare
        #expect(table.take() == 1 && table.take() == -1, "the table is full")
        for _ in 0..<3 {
            let read = spare.lend { () -> Int32 in
                let descriptor = table.take()
                if descriptor >= 0 { table.close(descriptor) }
                return descriptor
            }
            #expect(read == 0)
            #expect(table.open == [0, 1] && table.take() == -1, "it is held again")
        }
        #expect(throws: Failed.self) { try spare.lend { throw Failed() } }
        #expect(table.open == [0, 1])
    }

    @Test("one that was not to be had is had when there is room: at the next use, or when somebody asks for it")
    func late() {
        let table = DescriptorTable(room: 0), spare = table.spare
        #expect(spare.lend { table.take() } == -1)
        table.make(room: 2)
        spare.hold()
        spare.hold()
        #expect(table.open == [0], "one is enough")
        // Whoever keeps what was lent leaves none.
        table.make(room: 1)
        #expect(spare.lend { table.take() } == 0)
        table.make(room: 2)
        #expect(spare.lend { table.take() } == 1)
        table.close(1)
        spare.hold()
        #expect(table.open == [0, 1])
    }
}
