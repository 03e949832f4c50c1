import Model
import PolicyCases
import Testing

@Suite("Parsing JSON")
struct JSONParsing {
    @Test("a document keeps the kind of every value")
    func kinds() throws {
        let json = try JSON(parsing: #" { "n" : null, "t":true, "f":false,"i":-7,"d":1.5,"s":"x","a":[1,[]],"o":{} } "#)
        let object = try #require(json.object)
        #expect(object.keys == ["n", "t", "f", "i", "d", "s", "a", "o"])
        #expect(object["n"] == JSON.null)
        #expect(json["t"] == .bool(true))
        #expect(json["f"] == .bool(false))
        #expect(json["i"] == .int(-7))
        #expect(json["d"] == .double(1.5))
        #expect(json["s"] == .string("x"))
        #expect(json["a"] == .array([.int(1), .array([])]))
        #expect(json["o"] == .emptyObject)
    }

    @Test("integers stay exact past the precision of a double")
    func exactIntegers() throws {
        #expect(try JSON(parsing: "9007199254740993") == .int(9_007_199_254_740_993))
        #expect(try JSON(parsing: "-9223372036854775808") == .int(Int.min))
        #expect(try JSON(parsing: "9223372036854775808") == .double(9_223_372_036_854_775_808))
    }

    @Test("a number with a fraction or an exponent is a double")
    func doubles() throws {
        #expect(try JSON(parsing: "1e3") == .double(1000))
        #expect(try JSON(parsing: "-0.25E-1") == .double(-0.025))
        #expect(try JSON(parsing: "0e1") == .double(0))
    }

    @Test("escapes stand for their characters")
    func escapes() throws {
        #expect(try JSON(parsing: #""\"\\\/\b\f\n\r\t""#) == .string("\"\\/\u{8}\u{C}\n\r\t"))
        #expect(try JSON(parsing: #""\u00e9\u4E2D""#) == .string("é中"))
        #expect(try JSON(parsing: #""a\ud83d\ude00b""#) == .string("a😀b"))
    }

    @Test("half a surrogate pair becomes the replacement character")
    func loneSurrogates() throws {
        #expect(try JSON(parsing: #""\ud83dx""#) == .string("\u{FFFD}x"))
        #expect(try JSON(parsing: #""\ud83d\u0041""#) == .string("\u{FFFD}A"))
        #expect(try JSON(parsing: #""\ude00""#) == .string("\u{FFFD}"))
    }

    @Test(
        "text that is no JSON is refused",
        arguments: [
            "", " ", "{", "[", "[1", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "{} {}", "nul", "True",
            "01", "-", "+1", ".5", "1.", "1e", "--1", "1-2", "-01", "1e999", "\"abc", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"",
            "'a'", "]", "NaN", "\"\\",
        ])
    func refused(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test("RFC 8259 wants digits after a point and four hexadecimal digits after \\u", arguments: ["1.e5", #""\u+041""#, #""\u-000""#])
    func lenient(_ text: String) {
        #expect(throws: JSONError.self) { try JSON(parsing: text) }
    }

    @Test("an error names the byte it is at")
    func offset() {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: "{} x") }
        #expect(error?.description == "text after the document at byte 3")
    }

    @Test("a key that comes twice is refused, in small objects and in large ones")
    func duplicates() throws {
        #expect(throws: JSONError.self) { try JSON(parsing: #"{"a":1,"a":1}"#) }
        let members = (0..<40).map { "\"k\($0)\":\($0)" }
        let large = try JSON(parsing: "{" + members.joined(separator: ",") + "}")
        #expect(large.object?.count == 40)
        for again in [0, 15, 16, 17, 39] {
            let text = "{" + members.joined(separator: ",") + ",\"k\(again)\":0}"
            #expect(throws: JSONError.self, "k\(again)") { try JSON(parsing: text) }
        }
    }

    @Test("a hostile depth is refused and an ordinary one is not")
    func depth() throws {
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "{\"a\":", count: 100_000)) }
        let text = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        #expect(try JSON(parsing: text).text() == text)
    }

    @Test("siblings do not add to the depth")
    func siblings() throws {
        let json = try JSON(parsing: "[" + Array(repeating: "[{}]", count: 2000).joined(separator: ",") + "]")
        #expect(json.items.count == 2000)
    }
}

@Suite("Writing JSON")
struct JSONWriting {
    @Test("compact text has no spaces and keeps the order of keys")
    func compact() throws {
        let text = #"{"b":1,"a":[1,2.5,"x",null,true],"c":{}}"#
        #expect(try JSON(parsing: text).text() == text)
        #expect(try JSON(parsing: text).bytes() == Array(text.utf8))
    }

    @Test("indented text is what kubectl -o json prints")
    func indented() throws {
        let expected = """
            {
                "kind": "Pod",
                "spec": {
                    "args": [
                        "a",
                        "b"
                    ],
                    "empty": {},
                    "none": []
                }
            }
            """
        let json = try JSON(parsing: #"{"kind":"Pod","spec":{"args":["a","b"],"empty":{},"none":[]}}"#)
        #expect(json.text(indented: true) == expected)
    }

    @Test("what a string may not hold bare is escaped")
    func escapes() {
        #expect(JSON.string("\"\\\n\r\t\u{1}\u{1F}/é").text() == #""\"\\\n\r\t\u0001\u001f/é""#)
    }

    @Test("a double without a fraction is written as an integer")
    func wholeDoubles() {
        #expect(JSON.double(3).text() == "3")
        #expect(JSON.double(-0.5).text() == "-0.5")
    }

    @Test("sorting orders the keys at every level and leaves arrays alone")
    func sorted() throws {
        let json = try JSON(parsing: #"{"b":[{"d":1,"c":2},1,0],"a":{"z":0,"y":0}}"#)
        #expect(json.sorted.text() == #"{"a":{"y":0,"z":0},"b":[{"c":2,"d":1},1,0]}"#)
    }

    @Test("any document survives being written and parsed")
    func roundTrip() throws {
        var random = SplitMix64(seed: 8259)
        for _ in 0..<300 {
            let json = Self.document(&random, depth: 4)
            #expect(try JSON(parsing: json.text()) == json)
            #expect(try JSON(parsing: json.text(indented: true)) == json)
        }
    }

    private static func document(_ random: inout SplitMix64, depth: Int) -> JSON {
        switch random.number(0..<(depth > 0 ? 8 : 5)) {
        case 0: return .null
        case 1: return .bool(random.chance(50))
        case 2: return .int(Int(truncatingIfNeeded: random.next()))
        case 3: return .double(Double(random.number(-1000..<1000)) + 0.5)
        case 4: return .string(text(&random))
        case 5, 6:
            var object = JSONObject()
            for _ in 0..<random.number(0..<20) { object[text(&random)] = document(&random, depth: depth - 1) }
            return .object(object)
        default:
            var items: [JSON] = []
            for _ in 0..<random.number(0..<5) { items.append(document(&random, depth: depth - 1)) }
            return .array(items)
        }
    }

    private static func text(_ random: inout SplitMix64) -> String {
        let pieces = ["a", "Z", "\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{1B}", "/", "é", "中", "😀", " ", ":", "{"]
        var text = ""
        for _ in 0..<random.number(0..<6) { text += random.pick(pieces) }
        return text
    }
}

@Suite("Reading and editing JSON")
struct JSONAccess {
    @Test("what is not there reads as null")
    func absent() throws {
        let json = try JSON(parsing: #"{"a":[1]}"#)
        #expect(json["b"]["c"][3]["d"].isNull)
        #expect(json["a"][0] == .int(1))
        #expect(json["a"][1].isNull)
        #expect(json["a"][-1].isNull)
        #expect(json["b"].items.isEmpty)
    }

    @Test("setting creates the objects on the way and setting null removes")
    func setting() {
        var json = JSON.null
        json["spec"]["replicas"] = 3
        #expect(json.text() == #"{"spec":{"replicas":3}}"#)
        json["spec"]["replicas"] = .null
        #expect(json.text() == #"{"spec":{}}"#)
    }

    @Test("the order of keys does not count for equality and hashing, that of elements does")
    func equality() throws {
        let a = try JSON(parsing: #"{"x":1,"y":{"p":[1,2],"q":null}}"#), b = try JSON(parsing: #"{"y":{"q":null,"p":[1,2]},"x":1}"#)
        #expect(a == b)
        #expect(a.hashValue == b.hashValue)
        #expect(try JSON(parsing: #"{"x":1,"y":{"p":[2,1],"q":null}}"#) != a)
        // A member that is null is as good as none.
        let bare = try JSON(parsing: #"{"x":1,"y":{"p":[1,2]}}"#)
        #expect(bare == a && bare.hashValue == a.hashValue)
        #expect(try JSON(parsing: #"{"x":1,"y":{"p":[1,2],"r":0}}"#) != a)
    }

    @Test("a double counts as an integer only without a fraction")
    func integers() {
        #expect(JSON.double(8080).int == 8080)
        #expect(JSON.double(80.5).int == nil)
        #expect(JSON.string("80").int == nil)
        #expect(JSON.double(1e300).int == nil)
    }

    @Test("a literal leaves null members out")
    func literals() {
        let json: JSON = ["a": .null, "b": ["c": false], "d": [1, "x"]]
        #expect(json.text() == #"{"b":{"c":false},"d":[1,"x"]}"#)
    }

    @Test("a map of strings passes other values over")
    func stringMap() throws {
        #expect(try JSON(parsing: #"{"a":"1","b":2,"c":null,"d":""}"#).stringMap == ["a": "1", "d": ""])
        #expect(JSON.string("x").stringMap.isEmpty)
    }

    @Test("types are called what Go calls them")
    func typeNames() {
        let values: [JSON] = [.null, true, 1, .double(0.5), "s", [], .emptyObject]
        #expect(values.map(\.typeName) == ["null", "bool", "number", "number", "string", "array", "object"])
    }
}
