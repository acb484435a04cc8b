/// Lines of text in columns: the first flush left, the others flush right.
public struct Table {
    private var rows: [[String]]

    public init(_ header: [String]) { rows = [header] }

    public mutating func add(_ row: [String]) { rows.append(row) }

    public var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
