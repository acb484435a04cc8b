import Seeds
import Testing
import Tokenization

struct IncrementalDetokenizerTests {
    /// Left: bytes. Right: what `bytes.fromhex(left).decode("utf-8", "replace").encode().hex()` gives in Python 3.
    @Test(arguments: [
        ("c3", "efbfbd"), ("c328", "efbfbd28"), ("e282", "efbfbd"), ("e28228", "efbfbd28"), ("f09f98", "efbfbd"),
        ("f09f9880", "f09f9880"), ("f0808080", "efbfbdefbfbdefbfbdefbfbd"), ("eda080", "efbfbdefbfbdefbfbd"),
        ("f4908080", "efbfbdefbfbdefbfbdefbfbd"), ("c0af", "efbfbdefbfbd"), ("80", "efbfbd"),
        ("fffe", "efbfbdefbfbd"), ("e2e282ac", "efbfbde282ac"), ("f09fe2", "efbfbdefbfbd"), ("e0", "efbfbd"),
        ("e08080", "efbfbdefbfbdefbfbd"), ("f18041", "efbfbd41"), ("61f1809f62", "61efbfbd62"),
        ("edbfbf41", "efbfbdefbfbdefbfbd41"), ("f0908041", "efbfbd41"), ("f48fbfbf", "f48fbfbf"),
        ("f5808080", "efbfbdefbfbdefbfbdefbfbd"), ("c3c3a9", "efbfbdc3a9"),
    ])
    func replacesAsPythonDoes(bytes: String, text: String) {
        #expect(decode([[UInt8](hex: bytes)]) == [UInt8](hex: text))
    }

    @Test func anyCutGivesTheTextOfTheWhole() {
        forEachSeed(3000) { generator in
            let bytes = generator.bytes(count: generator.integer(0...40))
            let whole = Array(String(decoding: bytes, as: UTF8.self).utf8)
            return decode(generator.cut(bytes)) == whole
        }
    }

    @Test func whatIsGivenOutIsAlwaysWholeCharacters() {
        forEachSeed(1000) { generator in
            var detokenizer = IncrementalDetokenizer()
            for piece in generator.cut(generator.bytes(count: 20)) {
                var text: [UInt8] = []
                detokenizer.push(piece.span, into: &text)
                guard String(validating: text, as: UTF8.self) != nil else { return false }
            }
            return true
        }
    }

    @Test func aCharacterComesWithItsLastByteAndNotBefore() {
        var detokenizer = IncrementalDetokenizer()
        for byte in "😀".utf8.dropLast() {
            var text: [UInt8] = []
            detokenizer.push([byte].span, into: &text)
            #expect(text.isEmpty)
            #expect(detokenizer.isInsideCharacter)
        }
        var text: [UInt8] = []
        detokenizer.push([0x80].span, into: &text)
        #expect(text == Array("😀".utf8))
        #expect(!detokenizer.isInsideCharacter)
    }

    private func decode(_ pieces: [[UInt8]]) -> [UInt8] {
        var detokenizer = IncrementalDetokenizer()
        var text: [UInt8] = []
        for piece in pieces { detokenizer.push(piece.span, into: &text) }
        detokenizer.flush(into: &text)
        return text
    }
}
