import API
import Model
import Testing

@Suite("Selectors of objects")
struct ObjectSelectors {
    private func selects(_ selector: String, _ labels: [String: String]) throws -> Bool {
        LabelSelector(try JSON(parsing: selector)).matches(labels)
    }

    @Test("an empty selector selects everything", arguments: ["{}", #"{"matchLabels":{}}"#, #"{"matchExpressions":[]}"#])
    func empty(_ selector: String) throws {
        #expect(try selects(selector, [:]))
        #expect(try selects(selector, ["app": "web"]))
    }

    @Test("every label of matchLabels must be there with its value")
    func matchLabels() throws {
        let selector = #"{"matchLabels":{"app":"web","tier":"front"}}"#
        #expect(try selects(selector, ["app": "web", "tier": "front", "more": "x"]))
        #expect(try !selects(selector, ["app": "web"]))
        #expect(try !selects(selector, ["app": "web", "tier": "back"]))
    }

    @Test(
        "the operators mean what the API says",
        arguments: [
            (#"{"key":"a","operator":"In","values":["1","2"]}"#, true, false, false),
            (#"{"key":"a","operator":"NotIn","values":["1","2"]}"#, false, true, true),
            (#"{"key":"a","operator":"Exists"}"#, true, true, false),
            (#"{"key":"a","operator":"DoesNotExist"}"#, false, false, true),
        ])
    func operators(_ expression: String, listed: Bool, other: Bool, absent: Bool) throws {
        let selector = #"{"matchExpressions":[\#(expression)]}"#
        #expect(try selects(selector, ["a": "2"]) == listed)
        #expect(try selects(selector, ["a": "3"]) == other)
        #expect(try selects(selector, ["b": "1"]) == absent)
    }

    @Test("labels and expressions must all hold")
    func conjunction() throws {
        let selector =
            #"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"Exists"},{"key":"a","operator":"NotIn","values":["2"]}]}"#
        #expect(try selects(selector, ["a": "1", "b": ""]))
        #expect(try !selects(selector, ["a": "1"]))
        #expect(try !selects(selector, ["a": "2", "b": ""]))
    }

    @Test("an unknown operator selects nothing")
    func unknown() throws {
        let selector = #"{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}"#
        #expect(try !selects(selector, ["a": "1"]))
        #expect(try !selects(selector, ["a": "2"]))
        #expect(try !selects(selector, [:]))
    }
}

@Suite("Selectors on the command line")
struct CommandLineSelectors {
    @Test(
        "each form selects what kubectl documents",
        arguments: [
            ("a=b", true), ("a==b", true), ("a=c", false), ("a!=c", true), ("a!=b", false), ("x!=y", true), ("a", true), ("x", false),
            ("!x", true), ("!a", false), ("a in (b,c)", true), ("a in ( c , d )", false), ("x in (b)", false), ("a notin (c,d)", true),
            ("a notin (b)", false), ("x notin (b)", true), ("a=b,e in (f,g),!h,c!=z", true), ("a=b,e in (f,g),h", false),
            (" a = b , c = d ", true), ("", true),
        ])
    func forms(_ text: String, _ isSelected: Bool) throws {
        #expect(try LabelSelector(parsing: text).matches(["a": "b", "c": "d", "e": "g"]) == isSelected)
    }

    @Test("the comma inside parentheses does not end a requirement")
    func commas() throws {
        #expect(try LabelSelector(parsing: "e in (f,g),!h").requirements.count == 2)
    }

    @Test(
        "numbers compare, parentheses need no space, and an empty list is the empty value",
        arguments: [
            ("n>1", true), ("n<3", true), ("n>2", false), ("a>1", false), ("a in(b)", true), ("e in ()", false), ("e in (,g)", true),
        ])
    func otherForms(_ text: String, _ isSelected: Bool) throws {
        #expect(try LabelSelector(parsing: text).matches(["a": "b", "e": "g", "n": "2"]) == isSelected)
    }

    @Test(
        "what is no requirement is refused, and the message names it in Kubernetes' words",
        arguments: [
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a=b=c", "found '=', expected: ',' or 'end of string'"), ("a,", "found '', expected: identifier after ','"),
            (",a", "found ',', expected: !, identifier, or 'end of string'"),
            ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
            ("a===", "unable to parse requirement: found '=', expected: identifier"),
            ("/a", "unable to parse requirement: <nil>: Invalid value: \"/a\": prefix part must be non-empty"),
        ])
    func refused(_ text: String, _ words: String) throws {
        let error = #expect(throws: SelectorError.self) { try LabelSelector(parsing: text) }
        #expect(error?.description == words)
    }

    @Test("a value needs a key", arguments: ["=b", "!=b", "a=b,=c", " in (b)"])
    func keyless(_ text: String) {
        #expect(throws: SelectorError.self) { try LabelSelector(parsing: text) }
    }
}
