import Model
import Testing

/// What github.com/robfig/cron/v3, which reads schedules for Kubernetes, makes of the rarer ones.
@Suite("schedules as Kubernetes reads them")
struct CronScheduleTests {
    @Test(
        "a day with a step joins the weekdays, a day without one leaves the choice to them",
        arguments: [
            // 2026-11-23 is a Monday.
            ("0 0 */2 * 2", "2026-11-25T00:00:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 */1 * 2", "2026-11-25T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("0 0 * * 2", "2026-11-25T00:00:00Z", "2026-12-01T00:00:00Z"), ("0 0 ? * 2", "2026-11-25T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("0 0 13 * */2", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z"),
            ("0 0 13 * *", "2026-11-24T00:00:00Z", "2026-12-13T00:00:00Z"),
            ("0 0 5,* * 2", "2026-11-25T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("1,,2 * * * *", "2026-11-25T00:01:00Z", "2026-11-25T00:02:00Z"),
        ])
    func days(_ text: String, _ after: String, _ next: String) throws {
        let from = try #require(Timestamp(after))
        #expect(try CronSchedule(text).next(after: from)?.description == next)
    }

    @Test(
        "what is none is refused in its words",
        arguments: [
            ("* * * * 7", "end of range (7) above maximum (6): 7"), ("@never", "unrecognized descriptor: @never"),
            ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
            (
                "@every 99999999999999999999s",
                "failed to parse duration @every 99999999999999999999s: time: invalid duration \"99999999999999999999s\""
            ),
        ])
    func refused(_ text: String, _ message: String) {
        let error = #expect(throws: CronSchedule.Invalid.self) { try CronSchedule(text) }
        #expect(error?.description == message)
    }

    @Test("a step may be the largest number")
    func steps() throws {
        let from = try #require(Timestamp("2026-11-23T10:02:30Z"))
        #expect(try CronSchedule("5/9223372036854775807 * * * *").next(after: from)?.description == "2026-11-23T10:05:00Z")
    }

    @Test(
        "an interval is at least a second, and as long as Go can say",
        arguments: [
            ("@every 1.5h", 5400), ("@every 0s", 1), ("@every -5m", 1), ("@every 1ms", 1), ("@every 2500ms", 2),
            ("@every 2562047h47m16s", 9_223_372_036),
        ])
    func intervals(_ text: String, _ seconds: Int) throws {
        let from = Timestamp(seconds: 1_000_000), schedule = try CronSchedule(text)
        #expect(schedule.next(after: from)?.seconds == 1_000_000 + seconds)
        #expect(schedule.last(after: from, through: Timestamp(seconds: 1_000_000 + 2 * seconds))?.seconds == 1_000_000 + 2 * seconds)
    }
}

@Suite("lengths of time as Go writes them")
struct GoDurationTests {
    @Test(
        "a length is read",
        arguments: [
            ("0", 0), ("1h30m", 5_400_000_000_000), ("1.5h", 5_400_000_000_000), ("-1.5h", -5_400_000_000_000), (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1us", 1_000), ("1\u{B5}s", 1_000), ("1\u{3BC}s", 1_000), ("3ms4ns", 3_000_004), ("1.0000000019s", 1_000_000_001),
            ("+1s", 1_000_000_000),
            ("2562047h47m16.854775807s", Int.max),
        ])
    func read(_ text: String, _ nanoseconds: Int) { #expect(GoDuration(text)?.nanoseconds == nanoseconds) }

    @Test(
        "what is none, or longer than 64 bits can say, is refused",
        arguments: [
            "", "-", "+", "1", "s", "1x", "1h1", ".s", "1 s", " 1s", "1d", "--1s", "\u{0661}s", "2562047h47m16.854775808s", "9223372037s",
            "99999999999999999999s",
        ])
    func refused(_ text: String) { #expect(GoDuration(text) == nil) }
}
