import Model
import Testing

@Suite("What is given back when little of much is left")
struct DroppingTests {
    @Test("a dictionary that held many and holds few has room for few")
    func dictionary() {
        var numbers = Dictionary(uniqueKeysWithValues: (0..<1000).map { ("\($0)", $0) })
        let full = numbers.capacity
        #expect(numbers.drop("none") == nil)
        for number in 10..<1000 { #expect(numbers.drop("\(number)") == number) }
        #expect(numbers == Dictionary(uniqueKeysWithValues: (0..<10).map { ("\($0)", $0) }))
        #expect(numbers.capacity < full / 4)
    }
}
