/// The key under which a prompt's worker is remembered, since its KV cache may hold the prompt's beginning.
public enum PromptAffinity {
    /// A prompt with fewer tokens goes wherever there is room.
    public static let tokens = 256

    /// A hash of whose cache the prompt may use and of its first tokens; nil for a short one.
    ///
    /// It is Swift's own, keyed by a secret of this process: a tenant that could make its prompts collide with those
    /// that it guesses of another would see by the choice of its worker whether the guess was right.
    public static func of(_ prompt: [UInt32], tenant: String, salt: String) -> UInt64? {
        guard prompt.count >= tokens else { return nil }
        var hasher = Hasher()
        hasher.combine(tenant)
        hasher.combine(salt)
        for token in prompt.prefix(tokens) { hasher.combine(token) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
