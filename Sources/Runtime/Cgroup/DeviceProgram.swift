/// Device rules as a program for a control group of version 2: the kernel asks it for every device that is made or opened.
/// (linux/bpf.h, struct bpf_cgroup_dev_ctx: access and kind in one word, major, minor; the answer is in r0)
package enum DeviceProgram {
    package struct Instruction: Sendable, Hashable {
        package let code: UInt8
        package let target: UInt8
        package let source: UInt8
        package let offset: Int16
        package let value: Int32

        /// struct bpf_insn, as it lies in memory.
        package var encoded: UInt64 {
            UInt64(code) | UInt64(target | source << 4) << 8 | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: value))
                << 32
        }
    }

    package static let load: UInt8 = 0x61, copy: UInt8 = 0xBF, set: UInt8 = 0xB7, and: UInt8 = 0x57, shift: UInt8 = 0x77,
        jumpUnless: UInt8 = 0x55
    package static let exit: UInt8 = 0x95

    private static func instruction(_ code: UInt8, _ target: UInt8 = 0, _ source: UInt8 = 0, offset: Int16 = 0, _ value: Int = 0)
        -> Instruction
    {
        Instruction(code: code, target: target, source: source, offset: offset, value: Int32(truncatingIfNeeded: value))
    }

    /// Whatever no rule allows is refused.
    package static func compile(_ rules: [DeviceRule]) -> [Instruction] {
        let start = [
            instruction(load, 2, 1, offset: 0), instruction(copy, 3, 2), instruction(and, 2, 0, 0xFFFF), instruction(shift, 3, 0, 16),
            instruction(load, 4, 1, offset: 4), instruction(load, 5, 1, offset: 8),
        ]
        return start + rules.flatMap(compile) + [instruction(set, 0, 0, 0), instruction(exit)]
    }

    private static func compile(_ rule: DeviceRule) -> [Instruction] {
        // r2 is the kind, r3 what is wanted, r4 and r5 the numbers. Each question leads past the rule when its answer is no.
        let kind = rule.kind == .block ? 1 : 2
        var questions: [(register: UInt8, value: Int)] = [(2, kind), (1, 0)]
        if let major = rule.major { questions.append((4, major)) }
        if let minor = rule.minor { questions.append((5, minor)) }
        var code = [instruction(copy, 1, 3), instruction(and, 1, 0, 0xFFFF & ~rule.access.rawValue)]
        for (index, question) in questions.enumerated() {
            code.append(instruction(jumpUnless, question.register, offset: Int16(questions.count - index - 1 + 2), question.value))
        }
        return code + [instruction(set, 0, 0, 1), instruction(exit)]
    }
}
