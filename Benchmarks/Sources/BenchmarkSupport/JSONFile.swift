import Foundation

/// Writes a result as JSON, readable and in a stable order.
///
/// - Throws: what encoding or writing throws.
public func writeJSON(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(value).write(to: URL(fileURLWithPath: path), options: .atomic)
}
