/// A table for terminals: columns as wide as their widest cell.
public struct TextTable: CustomStringConvertible, Sendable {
    private var rows: [[String]]
    private let rightAligned: Set<Int>

    /// - Parameter rightAligned: Columns of numbers; nil: all but the first.
    public init(_ head: [String], _ rows: [[String]] = [], rightAligned: Set<Int>? = nil) {
        self.rows = [head]
        self.rightAligned = rightAligned ?? Set(head.indices.dropFirst())
        for row in rows { add(row) }
    }

    /// - Parameter row: As many cells as the heading has.
    public mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row of \(row.count) cells under \(rows[0].count) headings")
        rows.append(row)
    }

    /// Lines without blanks at their ends, the last without a line feed.
    public var description: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - row[column].count)
                return rightAligned.contains(column) ? blanks + row[column] : row[column] + blanks
            }
            let text = cells.joined(separator: "  ")
            return String(text.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
