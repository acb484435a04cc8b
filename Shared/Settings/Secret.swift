/// A setting's value that no log, description or dump shows.
public struct Secret: Equatable, Sendable {
    /// The value itself. Use it at once; do not store it as plain text.
    public let revealed: String

    public init(_ revealed: String) {
        self.revealed = revealed
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
