import Foundation

/// Writes elements that are both HTML and well-formed XML.
struct Markup {
    private(set) var text = ""

    mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String> = [:]) {
        start(name, attributes)
        text += ">"
    }

    mutating func close(_ name: String) { text += "</\(name)>\n" }

    /// An element with text and nothing else.
    mutating func element(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: String) {
        open(name, attributes)
        text += Self.escape(content)
        close(name)
    }

    /// An element that has no content in either language.
    mutating func void(_ name: String, _ attributes: KeyValuePairs<String, String>) {
        start(name, attributes)
        text += "/>\n"
    }

    /// Markup that is right as it stands.
    mutating func raw(_ markup: String) { text += markup }

    private mutating func start(_ name: String, _ attributes: KeyValuePairs<String, String>) {
        text += "<\(name)"
        for (key, value) in attributes { text += " \(key)=\"\(Self.escape(value))\"" }
    }

    /// The text with markup's characters replaced, and without those that XML forbids.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\t", "\n": escaped.unicodeScalars.append(scalar)
            default:
                guard scalar.value >= 0x20, scalar.value & 0xfffe != 0xfffe else { continue }
                escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// A coordinate, to a hundredth of a pixel.
    static func pixel(_ value: Double) -> String {
        let text = String(format: "%.2f", value)
        return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
    }
}
