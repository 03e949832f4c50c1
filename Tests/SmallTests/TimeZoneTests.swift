import Model
import Testing

/// A TZif file of version 2 without changes of the clock, whose footer says all.
private func zone(_ footer: String, offset: Int32 = 0) throws -> TimeZone { try #require(TimeZone(tzif: file(footer, offset: offset))) }

private func file(_ footer: String, offset: Int32 = 0, changes: [(time: Int, offset: Int32)] = []) -> [UInt8] {
    func big(_ value: Int, _ size: Int) -> [UInt8] { (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
    func header(times: Int, types: Int) -> [UInt8] {
        Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + [0, 0, 0, times, types, 4].flatMap { big($0, 4) }
    }
    func type(_ offset: Int32) -> [UInt8] { big(Int(offset), 4) + [0, 0] }
    let old = header(times: 0, types: 1) + type(0) + Array("UTC\0".utf8)
    let new =
        header(times: changes.count, types: changes.count + 1) + changes.flatMap { big($0.time, 8) } + changes.indices.map { UInt8($0 + 1) }
        + type(offset) + changes.flatMap { type($0.offset) } + Array("LMT\0".utf8)
    return old + new + Array("\n\(footer)\n".utf8)
}

@Suite("time zones")
struct TimeZoneTests {
    @Test(
        "summer and winter follow the rule, north and south",
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600), ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200), ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-07-01T00:00:00Z", -14400), ("EST5EDT,M3.2.0,M11.1.0", "2026-12-31T23:59:59Z", -18000),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 39600),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 36000),
            ("<+0530>-5:30", "2026-07-01T00:00:00Z", 19800), ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0),
            ("XXX0YYY,J60,J305", "2024-03-01T02:00:00Z", 3600), ("XXX0YYY,59,304", "2024-02-29T02:00:00Z", 3600),
        ])
    func rules(_ footer: String, _ time: String, _ offset: Int) throws {
        #expect(try zone(footer).offset(at: try #require(Timestamp(time)).seconds) == offset)
    }

    @Test("before the first change the first offset holds, after the last the last or the rule's")
    func changes() throws {
        let changes: [(Int, Int32)] = [(100, 600), (200, 1200)]
        for (footer, after) in [("", 1200), ("XXX-1", 3600)] {
            let zone = try #require(TimeZone(tzif: file(footer, offset: -60, changes: changes)))
            #expect([-5_000_000_000, 99, 100, 199, 200].map { zone.offset(at: $0) } == [-60, -60, 600, 600, after])
        }
    }

    @Test("what is no such file is refused", arguments: [0, 3, 43, 44, 60, 100])
    func noFile(_ length: Int) { #expect(TimeZone(tzif: Array(file("XXX0").prefix(length))) == nil) }

    @Test(
        "what leads out of the database or is not in it is no zone",
        arguments: ["", "/etc/passwd", "../passwd", "a/../../etc", "Europe//Berlin", ".hidden", "Nowhere"])
    func names(_ name: String) { #expect(throws: TimeZone.Unknown.self) { try TimeZone(named: name, database: "/") } }

    @Test("UTC needs no database; without one the error says how to get it")
    func noDatabase() throws {
        #expect(try TimeZone(named: "Etc/UTC", database: "/nowhere").offset(at: 0) == 0)
        let error = #expect(throws: TimeZone.Unknown.self) { try TimeZone(named: "Europe/Berlin", database: "/nowhere") }
        #expect(error?.description.contains("tzdata") == true)
    }

    @Test(
        "a schedule follows a place's clocks: hours that they skip have no times, hours that they repeat have them twice",
        arguments: [
            ("30 2 * * *", "2026-03-28T12:00:00Z", ["2026-03-30T00:30:00Z"]),
            ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
            ("0 0 * * *", "2026-03-28T12:00:00Z", ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]),
            ("0 9 * * 1", "2026-10-20T00:00:00Z", ["2026-10-26T08:00:00Z"]),
            ("15 * 29 3 *", "2026-03-28T22:00:00Z", ["2026-03-28T23:15:00Z"]),
        ])
    func schedules(_ text: String, _ after: String, _ times: [String]) throws {
        let zone = try zone("CET-1CEST,M3.5.0,M10.5.0/3"), schedule = try CronSchedule(text)
        var time = try #require(Timestamp(after))
        for expected in times {
            time = try #require(schedule.next(after: time, in: zone))
            #expect(time.description == expected)
        }
    }

    @Test(
        "the last time that passed is found however long ago one looked",
        arguments: [
            ("* * * * *", "2016-01-01T00:00:30Z", "2026-11-23T10:15:00Z"), ("0 0 1 1 *", "2016-01-01T00:00:30Z", "2026-01-01T00:00:00Z"),
            ("* * * * *", "2026-11-23T10:15:00Z", nil), ("0 0 30 2 *", "2016-01-01T00:00:00Z", nil),
            ("@every 1h", "2026-11-23T07:00:10Z", "2026-11-23T10:00:10Z"),
            ("*/15 * * * *", "2026-11-23T10:14:59Z", "2026-11-23T10:15:00Z"),
        ])
    func last(_ text: String, _ since: String, _ last: String?) throws {
        let now = try #require(Timestamp("2026-11-23T10:15:20Z")), start = try #require(Timestamp(since))
        #expect(try CronSchedule(text).last(after: start, through: now)?.description == last)
    }

    @Test("a time is written by the clocks of a place")
    func written() throws {
        let time = try #require(Timestamp("2026-11-23T23:15:00Z"))
        #expect(time.description(offset: 0) == "2026-11-23T23:15:00Z" && time.description(offset: 3600) == "2026-11-24T00:15:00+01:00")
        #expect(time.description(offset: -12600) == "2026-11-23T19:45:00-03:30")
    }
}

@Suite("completion indexes")
struct CompletionIndexTests {
    @Test(
        "two neighbours are two numbers, three an interval",
        arguments: [([], ""), ([3], "3"), ([0, 1], "0,1"), ([2, 1, 0], "0-2"), ([7, 1, 3, 4, 5], "1,3-5,7")] as [([Int], String)])
    func written(_ indexes: [Int], _ text: String) {
        #expect(CompletionIndexes(indexes).description == text)
        #expect(CompletionIndexes(text, completions: 10) == CompletionIndexes(indexes))
    }

    @Test("a status' text loses what is wrong or beyond the last index")
    func lenient() {
        #expect(CompletionIndexes("0,x,2-,5-3,4-9,12", completions: 6).description == "0,4,5")
        #expect(CompletionIndexes("3", completions: 3).isEmpty)
    }

    @Test("a user's text may have no mistake", arguments: ["x", "1-", "1-2-3", "2,1", "1,1", "3-3", "5", "0-5", "-1", ",", "1, 2"])
    func strict(_ text: String) {
        #expect(throws: CompletionIndexes.Invalid.self) { try CompletionIndexes(validating: text, completions: 5) }
    }

    @Test("a user's text without mistakes is read")
    func valid() throws {
        #expect(try CompletionIndexes(validating: "0,2-4", completions: 5).count == 4)
        #expect(try CompletionIndexes(validating: "", completions: 5).isEmpty)
    }

    @Test("the first indexes that are missing")
    func missing() {
        let some = CompletionIndexes([0, 2, 3])
        #expect(
            some.missing(2, completions: 10) == [1, 4] && some.missing(9, completions: 5) == [1, 4]
                && some.missing(1, completions: 0).isEmpty)
    }
}
