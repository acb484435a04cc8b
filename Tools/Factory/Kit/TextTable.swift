/// Columns as wide as their widest cell.
public struct TextTable: CustomStringConvertible, Sendable {
    private let head: [String]
    private let rows: [[String]]
    private let rightAligned: Set<Int>

    /// - Parameter rightAligned: columns of numbers.
    public init(_ head: [String], _ rows: [[String]], rightAligned: Set<Int> = []) {
        self.head = head
        self.rows = rows
        self.rightAligned = rightAligned
    }

    public var description: String {
        let lines = [head] + rows
        let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = line.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - line[column].count)
                return rightAligned.contains(column) ? blanks + line[column] : line[column] + blanks
            }
            let text = cells.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
