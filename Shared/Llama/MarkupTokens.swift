/// The tokens that are matched as text before anything is tokenized, found by their first byte, longest first.
struct MarkupTokens: Sendable {
    struct Token: Sendable {
        var id: UInt32
        var text: [UInt8]
        /// Otherwise it is one that the model's makers added, and libllama finds it in any text.
        var isControl: Bool
        /// Takes the white space before it with it.
        var stripsLeft: Bool
        /// Takes the white space after it with it.
        var stripsRight: Bool
    }

    private var byFirstByte: [[Token]] = Array(repeating: [], count: 256)
    /// Whether a token that is not a control token looks like one, as `<|tool|>` does.
    private(set) var hasLookAlikes = false

    mutating func insert(_ token: Token) {
        guard let first = token.text.first, token.isControl || Self.looksLikeControl(token.text) else { return }
        if !token.isControl { hasLookAlikes = true }
        let index = byFirstByte[Int(first)].firstIndex { $0.text.count < token.text.count }
        byFirstByte[Int(first)].insert(token, at: index ?? byFirstByte[Int(first)].endIndex)
    }

    /// The longest token whose text begins at `position`.
    func match(in text: [UInt8], at position: Int) -> Token? {
        byFirstByte[Int(text[position])].first { text[position...].starts(with: $0.text) }
    }

    /// Of all control tokens.
    var controlTexts: [[UInt8]] { byFirstByte.joined().filter(\.isControl).map(\.text) }

    private static func looksLikeControl(_ text: [UInt8]) -> Bool {
        text.count > 2 && text.first == UInt8(ascii: "<") && text.last == UInt8(ascii: ">")
    }
}
