import Synchronization

/// Makes request ids without a system call for each: they need to be unique, not secret.
final class RequestIDs: Sendable {
    /// xoshiro256**, by Blackman and Vigna (https://prng.di.unimi.it), begun from the system's generator.
    private struct Generator: RandomNumberGenerator, Sendable {
        private var state: (UInt64, UInt64, UInt64, UInt64)

        init() {
            var system = SystemRandomNumberGenerator()
            state = (system.next() | 1, system.next(), system.next(), system.next())
        }

        mutating func next() -> UInt64 {
            let product = state.1 &* 5
            let result = (product << 7 | product >> 57) &* 9
            let shifted = state.1 << 17
            state.2 ^= state.0
            state.3 ^= state.1
            state.1 ^= state.2
            state.0 ^= state.3
            state.2 ^= shifted
            state.3 = state.3 << 45 | state.3 >> 19
            return result
        }
    }

    private let generator = Mutex(Generator())

    /// - Parameter milliseconds: Since 1970.
    func next(milliseconds: UInt64) -> DoorRequestID {
        generator.withLock { .new(milliseconds: milliseconds, using: &$0) }
    }
}
