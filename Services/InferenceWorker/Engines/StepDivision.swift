import Batching

/// Cuts a step into calls of llama.cpp, so that what the CPU computes for a token does not depend on the other tokens
/// of the step.
///
/// Its attention kernel takes 64 and more rows by tiles of the KV cache, whose sums depend on the cells that a
/// sequence happens to have, and fewer rows one by one, which does not. The rounding that differs is small, but the
/// activations' quantization amplifies it until near-ties fall the other way. So decoding requests and short prompts
/// are computed in calls of fewer rows; only long runs of one prompt, where tiles save time, are computed by tiles, in
/// calls of their own. All other kernels treat each row alike.
struct StepDivision: Sendable {
    struct Entry: Sendable {
        /// Index in the plan's tokens.
        var token: Int
        /// Index in the plan's samples.
        var sample: Int?
    }

    /// All tokens, in the order of the calls.
    private(set) var order: [Entry] = []
    /// Where in `order` each call's tokens are.
    private(set) var calls: [Range<Int>] = []
    private var runs: [Range<Int>] = []
    private let smallCall: Int
    private let longRun: Int

    /// - Parameters:
    ///   - smallCall: the most tokens of a call that has several sequences.
    ///   - longRun: as many tokens of one sequence, one after the other, get a call of their own.
    init(smallCall: Int = 63, longRun: Int = 256) {
        self.smallCall = smallCall
        self.longRun = longRun
    }

    mutating func divide(_ plan: borrowing StepPlan) {
        order.removeAll(keepingCapacity: true)
        calls.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        var start = 0
        for index in 0..<plan.tokens.count
        where index + 1 == plan.tokens.count || plan.tokens[index + 1].sequence != plan.tokens[index].sequence {
            runs.append(start..<index + 1)
            start = index + 1
        }
        for run in runs where run.count < longRun {
            for token in run { order.append(Entry(token: token)) }
        }
        let small = order.count
        for start in stride(from: 0, to: small, by: smallCall) { calls.append(start..<min(start + smallCall, small)) }
        for run in runs where run.count >= longRun {
            calls.append(order.count..<order.count + run.count)
            for token in run { order.append(Entry(token: token)) }
        }
        var sample = 0
        for index in order.indices where plan.tokens[order[index].token].wantsLogits {
            while plan.samples[sample % plan.samples.count].entry != order[index].token { sample += 1 }
            order[index].sample = sample % plan.samples.count
        }
    }
}
