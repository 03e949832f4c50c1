import Model
import Testing

@Suite("quantities, schedules and times")
struct QuantityTests {
    @Test(
        "a quantity prints in its canonical form",
        arguments: [
            ("0.5", "500m"), ("1500m", "1500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1536Mi", "1536Mi"), ("1.5Gi", "1536Mi"),
            ("1e3", "1e3"), ("0", "0"),
            ("100M", "100M"), ("12000", "12k"), ("0.1n", "1n"), ("-1", "-1"), ("1Ei", "1Ei"), ("1000000000000E", "9223372036854775807"),
            ("-99Ei", "-9223372036854775807"),
        ])
    func canonical(_ written: String, _ printed: String) { #expect(Quantity(written)?.description == printed) }

    @Test("what is none is refused", arguments: ["", "x", "1x", "1.2.3", "Mi", "--1", "1e99", "1 Gi", "1e-9223372036854775808"])
    func refused(_ text: String) { #expect(Quantity(text) == nil) }

    @Test("quantities add and compare across suffixes")
    func arithmetic() throws {
        let half = try #require(Quantity("500m")), gib = try #require(Quantity("1Gi"))
        #expect((half + half).description == "1" && half < gib && (gib - gib).description == "0" && Quantity("1024Mi") == gib)
    }

    @Test(
        "the next time of a schedule",
        arguments: [
            ("*/5 * * * *", "2026-11-23T10:02:30Z", "2026-11-23T10:05:00Z"), ("0 0 1 1 *", "2026-11-23T10:00:00Z", "2027-01-01T00:00:00Z"),
            ("30 4 * * 1-5", "2026-11-27T05:00:00Z", "2026-11-30T04:30:00Z"),
            ("0 12 13 * fri", "2026-11-23T00:00:00Z", "2026-11-27T12:00:00Z"),
            ("@hourly", "2026-11-23T10:59:59Z", "2026-11-23T11:00:00Z"), ("0 0 29 feb *", "2026-11-23T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("@every 90s", "2026-11-23T10:00:00Z", "2026-11-23T10:01:30Z"),
        ])
    func schedule(_ text: String, _ after: String, _ next: String) throws {
        let from = try #require(Timestamp(after))
        #expect(try CronSchedule(text).next(after: from)?.description == next)
    }

    @Test(
        "a schedule that is none is refused", arguments: ["", "* * * *", "60 * * * *", "a b c d e", "*/0 * * * *", "5-1 * * * *", "@never"])
    func noSchedule(_ text: String) { #expect(throws: CronSchedule.Invalid.self) { try CronSchedule(text) } }

    @Test(
        "a time may have an offset and parts of a second",
        arguments: [
            ("2026-11-23T10:00:00+01:00", "2026-11-23T09:00:00Z"), ("2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00Z"),
            ("2026-11-23t10:00:00z", "2026-11-23T10:00:00Z"),
        ])
    func times(_ text: String, _ utc: String) { #expect(Timestamp(text)?.description == utc) }

    @Test(
        "what is no time is refused",
        arguments: ["", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T10:00:00", "2026-11-23T25:00:00Z", "2026-11-23T10:00:00.Z"])
    func noTime(_ text: String) { #expect(Timestamp(text) == nil) }

    @Test("a simple JSON path finds what printer columns ask for")
    func paths() {
        let document: JSON = [
            "spec": ["replicas": 3, "list": [["a": 1], ["a": 2]]], "status": ["conditions": [["type": "Ready", "status": "True"]]],
            "metadata": ["annotations": ["x.io/y": "z"]],
        ]
        #expect(JSONPath(".spec.replicas").first(in: document) == 3)
        #expect(JSONPath(".spec.list[1].a").first(in: document) == 2)
        #expect(JSONPath(".spec.list[*].a").all(in: document) == [1, 2])
        #expect(JSONPath(".status.conditions[?(@.type==\"Ready\")].status").first(in: document) == "True")
        #expect(JSONPath(".metadata.annotations.x\\.io/y").first(in: document) == "z")
        #expect(JSONPath(".none.at[7].all").first(in: document).isNull)
    }
}
