import Model
import Testing

@Suite("A clock whose sleepers leave nothing behind")
struct TimerClockTests {
    @Test("who sleeps wakes when the time has come, and not before")
    func sleeping() async throws {
        let clock = TimerClock()
        let took = try await clock.measure { try await clock.sleep(for: .milliseconds(30)) }
        #expect(took >= .milliseconds(30))
        try await clock.sleep(for: .zero)
        try await clock.sleep(for: .seconds(-5))
    }

    @Test("who is cancelled wakes at once, however long it was to be, and before it began, too", arguments: [3600, Int(Int32.max) * 1000])
    func cancelled(seconds: Int) async throws {
        let clock = TimerClock()
        let sleeping = Task { try await clock.sleep(for: .seconds(seconds)) }
        try await Task.sleep(for: .milliseconds(20))
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clock.sleep(for: .seconds(seconds))
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }

    @Test("sleepers that are cancelled as they begin all end")
    func races() async throws {
        let clock = TimerClock()
        for _ in 0..<200 {
            let sleeping = Task { try await clock.sleep(for: .seconds(3600)) }
            sleeping.cancel()
            await #expect(throws: CancellationError.self) { try await sleeping.value }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 { group.addTask { try await clock.sleep(for: .microseconds(number * 50)) } }
            try await group.waitForAll()
        }
    }
}
