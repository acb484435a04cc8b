/// A table of texts.
public struct DataTable: Equatable, Sendable {
    /// A column's heading, and whether it holds words (which stand at the left) or figures.
    public struct Column: Equatable, Sendable {
        public var name: String
        public var isText: Bool

        public init(_ name: String, isText: Bool = false) {
            self.name = name
            self.isText = isText
        }
    }

    public var title: String
    public var columns: [Column]
    /// Rows; cells that are missing at the end are empty.
    public var rows: [[String]]

    public init(title: String, columns: [Column], rows: [[String]]) {
        self.title = title
        self.columns = columns
        self.rows = rows
    }

    func write(to markup: inout Markup) {
        markup.open("table")
        markup.element("caption", title)
        markup.open("thead")
        markup.open("tr")
        for column in columns {
            markup.element("th", ["scope": "col", "class": column.isText ? "text" : "figure"], column.name)
        }
        markup.close("tr")
        markup.close("thead")
        markup.open("tbody")
        for row in rows {
            markup.open("tr")
            for (index, column) in columns.enumerated() {
                markup.element(
                    "td", ["class": column.isText ? "text" : "figure"], index < row.count ? row[index] : "")
            }
            markup.close("tr")
        }
        markup.close("tbody")
        markup.close("table")
    }
}

extension Markup {
    mutating func element(_ name: String, _ content: String) { element(name, [:], content) }
}
